import GRDBSQLite
import LinajeDomain

/// Stops what a connection does once its time is over.
///
/// SQLite asks after so many steps of its virtual machine, which is some microseconds' work; but one
/// step may be the comparison of a long text with a pattern, which takes up to a tenth of a second.
struct SQLiteBudget {
    private static let stepsPerLook: Int32 = 128

    private let budget: Duration

    init(_ budget: Duration) { self.budget = budget }

    /// - Throws: `limitExceeded` when `body` was stopped.
    func run<Value>(on handle: OpaquePointer?, _ body: () throws -> Value) throws -> Value {
        var deadline = ContinuousClock.now + budget
        do {
            return try withUnsafeMutablePointer(to: &deadline) { deadline in
                sqlite3_progress_handler(
                    handle, Self.stepsPerLook,
                    { context in
                        guard let context else { return 0 }
                        let deadline = context.load(as: ContinuousClock.Instant.self)
                        return ContinuousClock.now < deadline ? 0 : 1
                    }, deadline)
                // The connection goes back to its pool without it.
                defer { sqlite3_progress_handler(handle, 0, nil, nil) }
                return try body()
            }
        } catch let error as LinajeError where error.details["sqlite"] == "\(SQLITE_INTERRUPT)" {
            throw LinajeError(
                .limitExceeded,
                "search was stopped after \(budget): it would read too much; narrow it with an "
                    + "experiment, a time or a more selective test, or look at it with --explain",
                details: ["budget_ms": "\(Int64(budget / .milliseconds(1)))"])
        }
    }
}
