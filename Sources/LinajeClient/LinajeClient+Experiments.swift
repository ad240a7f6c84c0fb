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

    /// Every element of a list, page by page.
    ///
    /// - Parameter most: stop after that many; `nil`: never.
    public func all<Element>(
        most: Int? = nil, _ list: @escaping @Sendable (Page) async throws -> Paged<Element>
    ) async throws -> [Element] {
        var found: [Element] = []
        try await eachPage(most: most, list) { found += $0 }
        return found
    }

    /// Hands over a list page by page; the next page is asked for while one is looked at.
    ///
    /// - Parameter most: stop after that many elements; `nil`: never.
    public func eachPage<Element>(
        most: Int? = nil, _ list: @escaping @Sendable (Page) async throws -> Paged<Element>,
        _ body: ([Element]) throws -> Void
    ) async throws {
        @Sendable func page(after token: String, left: Int) async throws -> Paged<Element> {
            try await list(Page(limit: min(Limits.pageEntries, max(1, left)), token: token))
        }
        var left = max(0, most ?? .max)
        var current = try await page(after: "", left: left)
        while true {
            let elements = Array(current.elements.prefix(left))
            left -= elements.count
            guard !current.nextPageToken.isEmpty, left > 0 else { return try body(elements) }
            let (token, rest) = (current.nextPageToken, left)
            async let next = page(after: token, left: rest)
            try body(elements)
            current = try await next
        }
    }
}
