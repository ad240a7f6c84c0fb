import LinajeDomain
import LinajePluginKit

/// What computes predictions: flavors of ours, or a model's own library.
protocol ScoringEngine: Sendable {
    /// For people: "native (xgboost)".
    var about: String { get }

    /// Which columns it takes, of what was given; `nil`: it takes all of it as it is.
    ///
    /// - Parameter columns: Their names, or `nil`.
    func plan(columns: [String]?, count: Int) throws -> ColumnPlan?

    /// Most rows of a batch, for what comes out of them takes memory.
    var mostRows: Int { get }

    /// Whether rows go to it as numbers only.
    var takesNumbers: Bool { get }

    /// Whether a request's params reach the model; an engine that takes none ignores them, as MLflow does
    /// where a signature has none.
    var takesParams: Bool { get }

    /// Whether a CSV file goes to it whole: it has no types for its columns before it has seen all.
    var takesWholeFiles: Bool { get }

    /// Scores what a request asks for.
    func predict(_ request: ScoringRequest) async throws -> Predictions

    /// - Throws: `invalidArgument` for what the model has no answer for, and its own error for a model
    ///   that fails.
    func score(_ batch: ScoringBatch, params: JSONNode?) async throws -> Predictions

    /// Ends its processes.
    func shutdown() async
}

/// Rows as an engine takes them.
enum ScoringBatch: Sendable {
    /// Row after row, a number for each feature.
    case numbers([Double])
    case table(ScoringTable, types: [ColumnType]?)
    case tensor(JSONNode)
    /// A whole CSV file, for pandas to read.
    case csv([UInt8])
    /// The path of a Parquet file, for pandas to read.
    case parquet(String)
}

extension ScoringEngine {
    /// A library bounds its answer by itself.
    var mostRows: Int { .max }

    var takesParams: Bool { false }

    /// The same of rows with these columns: what is missing in each takes memory, too.
    func mostRows(_ plan: ColumnPlan) -> Int {
        min(mostRows, ScorerLayout.mostValues / max(1, plan.missing))
    }

    /// - Throws: `limitExceeded` for more rows than that.
    func check(rows: Int, _ plan: ColumnPlan) throws {
        let most = mostRows(plan)
        guard rows <= most else {
            throw LinajeError(
                .limitExceeded,
                "the model takes at most \(most) rows at once, as each gives many values; send fewer rows"
            )
        }
    }

    func predict(_ request: ScoringRequest) async throws -> Predictions {
        switch request.data {
        case .tensor(let tensor):
            return try await score(.tensor(tensor), params: request.params)
        case .table(let table):
            guard let plan = try plan(columns: table.columns, count: table.width) else {
                return try await score(.table(table, types: nil), params: request.params)
            }
            return try await score(batch(table, plan), params: request.params)
        }
    }

    /// A table as this engine takes it.
    func batch(_ table: ScoringTable, _ plan: ColumnPlan) throws -> ScoringBatch {
        try check(rows: table.rows.count, plan)
        if takesNumbers { return .numbers(try plan.numbers(of: table)) }
        let rows = try plan.rows(of: table)
        return .table(
            ScoringTable(columns: plan.names, rows: rows),
            types: plan.sources.map { $0?.rule.type ?? .unknown })
    }
}
