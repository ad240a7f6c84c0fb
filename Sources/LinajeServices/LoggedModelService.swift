import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain

/// Logged models: what a run wrote, before and beside any registration.
package struct LoggedModelService: Sendable {
    let catalog: CatalogStore
    let artifacts: ArtifactService
    let inspection: ModelInspection
    let index: MetricIndexService

    package func create(
        _ new: NewLoggedModel, _ change: Change<LoggedModel>
    ) async throws -> LoggedModel {
        if let done = try await catalog.remembered(change) { return done }
        return try await artifacts.store.keepingUsed {
            var new = new
            if let tree = new.tree {
                try await artifacts.store.requireComplete(tree)
                new.size = try await artifacts.store.tree(tree).size
                new.model = await inspection.describe(tree)
            }
            return try await catalog.change(change) { [new] in try $0.createLoggedModel(new) }
        }
    }

    /// - Throws: `notFound`.
    package func get(_ id: LoggedModelID) async throws -> LoggedModel {
        try await catalog.read { try $0.loggedModel(id) }
    }

    package func search(
        _ query: LoggedModelQuery, _ wish: SearchWish
    ) async throws -> Paged<LoggedModel> {
        if query.usesMetrics { try await index.catchUp() }
        return try await catalog.search(query, wish)
    }

    package func update(
        _ id: LoggedModelID, _ update: LoggedModelUpdate, _ change: Change<LoggedModel>
    ) async throws -> LoggedModel {
        if let done = try await catalog.remembered(change) { return done }
        return try await artifacts.store.keepingUsed {
            var update = update
            if let tree = update.tree {
                try await artifacts.store.requireComplete(tree)
                update.size = try await artifacts.store.tree(tree).size
                update.model = await inspection.describe(tree)
            }
            return try await catalog.change(change) { [update] in
                try $0.updateLoggedModel(id, update)
            }
        }
    }

    package func delete(_ id: LoggedModelID, _ change: Change<Void>) async throws {
        try await catalog.change(change) { try $0.deleteLoggedModel(id) }
    }
}
