package import LinajeCatalog
package import LinajeDomain

/// Experiments: create, look up, list, change.
package struct ExperimentService: Sendable {
    let catalog: CatalogStore

    package func create(
        name: String, tags: [Tag], getExisting: Bool, _ change: Change<Experiment>
    ) async throws -> Experiment {
        try await catalog.change(change) {
            try $0.createExperiment(name: name, tags: tags, getExisting: getExisting)
        }
    }

    /// - Throws: `notFound`.
    package func get(id: ExperimentID) async throws -> Experiment {
        try await catalog.read { try $0.experiment(id: id) }
    }

    /// - Throws: `notFound`.
    package func get(name: String) async throws -> Experiment {
        try await catalog.read { try $0.experiment(named: name) }
    }

    package func search(
        _ query: ExperimentQuery, _ wish: SearchWish
    ) async throws -> Paged<Experiment> {
        try await catalog.search(query, wish)
    }

    package func update(
        id: ExperimentID, name: String?, lifecycle: Lifecycle?, tags: TagChanges,
        _ change: Change<Experiment>
    ) async throws -> Experiment {
        try await catalog.change(change) {
            try $0.updateExperiment(id: id, name: name, lifecycle: lifecycle, tags: tags)
        }
    }
}
