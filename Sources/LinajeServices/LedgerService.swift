import LinajeCatalog
package import LinajeDomain

/// The past: who changed what in the registry, and what came from what.
package struct LedgerService: Sendable {
    let catalog: CatalogStore

    /// Events, oldest first.
    package func events(
        model: String?, version: UInt64?, page: Page
    ) async throws -> Paged<LedgerEvent> {
        try await catalog.read { try $0.events(model: model, version: version, page: page) }
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
            return try await catalog.read { try $0.lineage(of: model, depth: depth) }
        case .run(let run, path: nil):
            return try await catalog.read { try $0.lineage(of: run, depth: depth) }
        case .run, .tree:
            throw LinajeError(
                .invalidArgument, "\(uri) has no lineage of its own; ask for models:/… or runs:/ID")
        }
    }
}
