public import LinajeDomain
import LinajeWire

extension LinajeClient {
    /// Creates an experiment.
    ///
    /// - Parameter getExisting: answer with the active experiment of that name where there is one,
    ///   instead of `alreadyExists`.
    public func createExperiment(
        _ name: String, tags: [Tag] = [], getExisting: Bool = false
    ) async throws -> Experiment {
        var request = Linaje_V1_CreateExperimentRequest()
        request.name = name
        request.tags = tags.map(Linaje_V1_Tag.init)
        request.getExisting = getExisting
        return try Experiment(await call(Methods.createExperiment, request))
    }

    /// The experiment of this number.
    public func experiment(id: ExperimentID) async throws -> Experiment {
        var request = Linaje_V1_GetExperimentRequest()
        request.id = id
        return try Experiment(await call(Methods.getExperiment, request))
    }

    /// The experiment of this name.
    public func experiment(name: String) async throws -> Experiment {
        var request = Linaje_V1_GetExperimentRequest()
        request.name = name
        return try Experiment(await call(Methods.getExperiment, request))
    }

    /// Lists experiments, newest first. `lifecycle` `nil` lists active and deleted ones.
    public func experiments(
        lifecycle: Lifecycle? = .active, search: SearchTerms = SearchTerms(), page: Page? = nil
    ) async throws -> Paged<Experiment> {
        var request = Linaje_V1_SearchExperimentsRequest()
        request.search = Linaje_V1_Search(search)
        request.lifecycle = Linaje_V1_Lifecycle(filter: lifecycle)
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.searchExperiments, request)
        return Paged(
            try response.experiments.map { try Experiment($0) },
            nextPageToken: response.nextPageToken, facts: SearchFacts(response.facts))
    }

    /// Changes an experiment; what is `nil` stays. Deleting it deletes its runs, restoring it
    /// restores them.
    public func updateExperiment(
        _ id: ExperimentID, name: String? = nil, lifecycle: Lifecycle? = nil,
        tags: TagChanges = TagChanges()
    ) async throws -> Experiment {
        var request = Linaje_V1_UpdateExperimentRequest()
        request.id = id
        if let name { request.name = name }
        if let lifecycle { request.lifecycle = Linaje_V1_Lifecycle(lifecycle) }
        if !tags.isEmpty { request.tags = Linaje_V1_TagChanges(tags) }
        return try Experiment(await call(Methods.updateExperiment, request))
    }
}
