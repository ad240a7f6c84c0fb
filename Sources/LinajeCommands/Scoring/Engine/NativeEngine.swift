import LinajeDomain
import LinajePluginKit
import Synchronization

/// Predictions by the flavors in the box, in processes of their own that see nothing but the model.
final class NativeEngine: ScoringEngine {
    private let scorers: [RemoteScorer]
    private let processes: [PluginProcess]
    private let schema: InputSchema?
    private let output: String?
    private let underWay: Mutex<[Int]>

    let layout: ScorerLayout
    let about: String
    var mostRows: Int { layout.mostRows }
    var takesNumbers: Bool { true }
    var takesWholeFiles: Bool { false }

    /// - Parameters:
    ///   - processes: One for each scorer, all of the same model.
    ///   - output: Which output is wanted; `nil`: the first.
    init(
        scorers: [RemoteScorer], processes: [PluginProcess], schema: InputSchema?, output: String?
    ) throws {
        guard let first = scorers.first else { preconditionFailure("an engine has a scorer") }
        _ = try ScoredOutput.place(of: output, in: first.layout)
        self.scorers = scorers
        self.processes = processes
        self.schema = schema
        self.output = output
        layout = first.layout
        about = "native (\(first.flavor))"
        underWay = Mutex([Int](repeating: 0, count: scorers.count))
    }

    func plan(columns: [String]?, count: Int) throws -> ColumnPlan? {
        try ColumnPlan(layout: layout, schema: schema, columns: columns, count: count)
    }

    func predict(_ request: ScoringRequest) async throws -> Predictions {
        if case .table(let given) = request.data {
            let table = try given.flattened(schema)
            guard table.columns != nil || !table.rows.isEmpty else {
                return .scored(try ScoredOutput(output, of: layout, values: []))
            }
            if let plan = try plan(columns: table.columns, count: table.width) {
                return try await score(batch(table, plan), params: request.params)
            }
        }
        throw LinajeError(
            .invalidArgument,
            "the model takes rows of \(layout.features.count) numbers, not lists in lists of them")
    }

    func score(_ batch: ScoringBatch, params: JSONNode?) async throws -> Predictions {
        guard case .numbers(let rows) = batch else {
            throw LinajeError(.internalError, "a scorer takes numbers only")
        }
        let values = rows.isEmpty ? [] : try await leastBusy { try await $0.score(rows) }
        return .scored(try ScoredOutput(output, of: layout, values: values))
    }

    func shutdown() async {
        for process in processes { await process.shutdown() }
    }

    /// Runs `body` with the scorer that has the least to do.
    private func leastBusy<Value: Sendable>(
        _ body: (RemoteScorer) async throws -> Value
    ) async throws -> Value {
        let place = underWay.withLock { counts in
            let place = counts.indices.min { counts[$0] < counts[$1] } ?? 0
            counts[place] += 1
            return place
        }
        defer { underWay.withLock { $0[place] -= 1 } }
        return try await body(scorers[place])
    }
}
