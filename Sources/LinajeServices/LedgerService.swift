package import LinajeCatalog
package import LinajeDomain
import LinajeMetrics

/// The past: who changed what in the registry, and what came from what.
package struct LedgerService: Sendable {
    let catalog: CatalogStore
    let metrics: MetricStore

    /// Events, oldest first.
    package func events(_ query: EventQuery) async throws -> Paged<LedgerEvent> {
        try await catalog.read { try $0.events(query) }
    }

    /// Recomputes the chain.
    package func verify() async throws -> LedgerVerification {
        try await catalog.read { try $0.verifyLedger() }
    }

    /// Where something came from.
    ///
    /// - Throws: `invalidArgument` unless `uri` is models:/… or runs:/ID.
    package func lineage(_ uri: String, depth: Int) async throws -> LineageGraph {
        switch try ContentURI(parsing: uri) {
        case .model(let model):
            return try await withMetrics(
                try await catalog.read { try $0.lineage(of: model, depth: depth) })
        case .run(let run, path: nil):
            return try await withMetrics(
                try await catalog.read { try $0.lineage(of: run, depth: depth) })
        case .run, .tree:
            throw LinajeError(
                .invalidArgument, "\(uri) has no lineage of its own; ask for models:/… or runs:/ID")
        }
    }

    /// The graph with the last value of each run's metrics, which live in another database.
    private func withMetrics(_ graph: LineageGraph) async throws -> LineageGraph {
        var nodes = graph.nodes
        for index in nodes.indices where nodes[index].kind == .run {
            guard case .run(let run, _) = try? ContentURI(parsing: nodes[index].id) else {
                continue
            }
            for summary in try await metrics.summaries(run, keys: [])
                .prefix(Self.metricsPerRun)
            {
                nodes[index].facts["metric \(summary.series.key)"] = "\(summary.last.value)"
            }
        }
        return LineageGraph(root: graph.root, nodes: nodes, edges: graph.edges)
    }

    /// More belong into the run's own view.
    private static let metricsPerRun = 50
}
