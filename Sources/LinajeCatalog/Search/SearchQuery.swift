package import LinajeDomain

/// A question for a page of objects of one kind.
package protocol SearchQuery: Sendable {
    associatedtype Element: Sendable

    /// What is searched for, in the terms of the compiler.
    func search() throws -> Search
    /// The page.
    func page(in reader: CatalogReader) throws -> Paged<Element>
}

extension CatalogStore {
    /// Answers what is wished for of a search; bounded by the store's time for searches.
    ///
    /// - Throws: `invalidArgument` for a page token of another search, `limitExceeded` when it took
    ///   too long.
    package func search<Query: SearchQuery>(
        _ query: Query, _ wish: SearchWish = .page
    ) async throws -> Paged<Query.Element> {
        try await read(within: searchTime) { reader in
            switch wish {
            case .page: try query.page(in: reader)
            case .count: Paged([], facts: SearchFacts(count: try reader.count(query)))
            case .explanation(let ofCount):
                Paged([], facts: SearchFacts(plan: try reader.explain(query, counting: ofCount)))
            }
        }
    }
}

extension CatalogReader {
    /// How many objects a query finds, on all pages.
    package func count(_ query: some SearchQuery) throws -> UInt64 { try count(query.search()) }

    /// How a query is answered.
    package func explain(_ query: some SearchQuery, counting: Bool) throws -> [String] {
        try explain(query.search(), counting: counting)
    }
}

extension RunQuery: SearchQuery {
    package func search() throws -> Search { try Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<Run> { try reader.runs(self) }
}

/// A question for runs whose labels come in a form of the caller's.
package struct LabelledRunQuery<Labels: RunLabels>: SearchQuery {
    package var query: RunQuery

    package init(_ query: RunQuery) { self.query = query }

    package func search() throws -> Search { try Search(query) }
    package func page(in reader: CatalogReader) throws -> Paged<LabelledRun<Labels>> {
        try reader.labelledRuns(query, as: Labels.self)
    }
}

extension ExperimentQuery: SearchQuery {
    package func search() throws -> Search { Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<Experiment> {
        try reader.experiments(self)
    }
}

extension RegisteredModelQuery: SearchQuery {
    package func search() throws -> Search { try Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<RegisteredModel> {
        try reader.registeredModels(self)
    }
}

extension ModelVersionQuery: SearchQuery {
    package func search() throws -> Search { try Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<ModelVersion> {
        try reader.modelVersions(self)
    }
}

extension LoggedModelQuery: SearchQuery {
    package func search() throws -> Search { try Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<LoggedModel> {
        try reader.loggedModels(self)
    }
}

extension DatasetQuery: SearchQuery {
    package func search() throws -> Search { Search(self) }
    package func page(in reader: CatalogReader) throws -> Paged<FoundDataset> {
        try reader.datasets(self)
    }
}
