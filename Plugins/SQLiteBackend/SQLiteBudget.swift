import GRDBSQLite
import Glibc
import LinajeDomain

/// Stops what a connection does once its time is over.
///
/// SQLite asks at the ends of its loops, after so many steps of its virtual machine. One row is thus
/// always looked at to its end; what that takes is bounded by `Limits.filterPatternsBytes`: a text
/// of 100,000 bytes and patterns of that length may take a second.
struct SQLiteBudget {
    private static let stepsPerLook: Int32 = 8

    private let budget: Duration

    init(_ budget: Duration) { self.budget = budget }

    /// - Throws: `limitExceeded` when `body` was stopped.
    func run<Value>(on handle: OpaquePointer?, _ body: () throws -> Value) throws -> Value {
        var deadline = Self.now() + Int64(min(budget / .nanoseconds(1), 1e18))
        do {
            return try withUnsafeMutablePointer(to: &deadline) { deadline in
                sqlite3_progress_handler(
                    handle, Self.stepsPerLook,
                    { context in
                        guard let context else { return 0 }
                        return SQLiteBudget.now() < context.load(as: Int64.self) ? 0 : 1
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

    /// Nanoseconds of a clock that is as coarse as the kernel's ticks and costs next to nothing.
    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
