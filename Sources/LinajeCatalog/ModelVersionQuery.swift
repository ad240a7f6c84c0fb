package import LinajeDomain

/// Which registered models are wanted; empty excludes nothing.
package struct RegisteredModelQuery: Sendable, Hashable {
    /// Only names that contain this text, byte for byte.
    package var nameContains: String
    /// Only models with all of these tags.
    package var tags: [Tag]
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(
        nameContains: String = "", tags: [Tag] = [], filter: Filter = .everything,
        order: [SortKey] = [], page: Page
    ) {
        self.nameContains = nameContains
        self.tags = tags
        self.filter = filter
        self.order = order
        self.page = page
    }
}

/// Which versions are wanted; an empty list or `nil` excludes nothing.
package struct ModelVersionQuery: Sendable, Hashable {
    /// Only of this model.
    package var name: String?
    /// Only from this run.
    package var runID: RunID?
    /// Only in these stages.
    package var stages: [Stage]
    /// Only versions with all of these tags.
    package var tags: [Tag]
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(
        name: String? = nil, runID: RunID? = nil, stages: [Stage] = [], tags: [Tag] = [],
        filter: Filter = .everything, order: [SortKey] = [], page: Page
    ) {
        self.name = name
        self.runID = runID
        self.stages = stages
        self.tags = tags
        self.filter = filter
        self.order = order
        self.page = page
    }
}

/// A version to be registered.
package struct NewVersion: Sendable, Hashable {
    package var name: String
    /// Creates the registered model if it is not there.
    package var createModel: Bool
    package var tree: SHA256Digest
    /// Sum of its files' sizes in bytes.
    package var size: UInt64
    /// Where it comes from, as the caller gave it.
    package var source: String
    package var runID: RunID?
    package var loggedModelID: LoggedModelID?
    package var description: String
    package var tags: [Tag]
    package var model: ModelDescription

    package init(
        name: String, createModel: Bool = false, tree: SHA256Digest, size: UInt64,
        source: String, runID: RunID? = nil, loggedModelID: LoggedModelID? = nil,
        description: String = "", tags: [Tag] = [], model: ModelDescription = ModelDescription()
    ) {
        self.name = name
        self.createModel = createModel
        self.tree = tree
        self.size = size
        self.source = source
        self.runID = runID
        self.loggedModelID = loggedModelID
        self.description = description
        self.tags = tags
        self.model = model
    }
}

/// What a models:/ URI points at.
package enum ResolvedModel: Sendable, Hashable {
    case version(ModelVersion)
    case loggedModel(LoggedModel)
}
