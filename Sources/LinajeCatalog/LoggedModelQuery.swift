package import LinajeDomain

/// Which logged models are wanted; an empty list or `nil` excludes nothing.
package struct LoggedModelQuery: Sendable, Hashable {
    package var experimentIDs: [ExperimentID]
    /// Only made by this run.
    package var runID: RunID?
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(
        experimentIDs: [ExperimentID] = [], runID: RunID? = nil, filter: Filter = .everything,
        order: [SortKey] = [], page: Page
    ) {
        self.experimentIDs = experimentIDs
        self.runID = runID
        self.filter = filter
        self.order = order
        self.page = page
    }
}

extension LoggedModelQuery {
    /// Whether it is answered from the last values of metrics.
    package var usesMetrics: Bool { filter.usesMetrics || order.useMetrics }
}

/// A logged model to be created.
package struct NewLoggedModel: Sendable, Hashable {
    /// `nil`: a new random one.
    package var id: LoggedModelID?
    package var experimentID: ExperimentID
    package var runID: RunID?
    package var name: String
    package var modelType: String
    package var tags: [Tag]
    package var params: [Param]
    /// With a tree it is READY at once, without one PENDING.
    package var tree: SHA256Digest?
    /// Sum of the tree's sizes in bytes.
    package var size: UInt64
    /// What the tree's files say it is.
    package var model: ModelDescription
    package var step: Int64

    package init(
        id: LoggedModelID? = nil, experimentID: ExperimentID, runID: RunID? = nil, name: String,
        modelType: String = "", tags: [Tag] = [], params: [Param] = [],
        tree: SHA256Digest? = nil, size: UInt64 = 0,
        model: ModelDescription = ModelDescription(), step: Int64 = 0
    ) {
        self.id = id
        self.experimentID = experimentID
        self.runID = runID
        self.name = name
        self.modelType = modelType
        self.tags = tags
        self.params = params
        self.tree = tree
        self.size = size
        self.model = model
        self.step = step
    }
}

/// What is changed of a logged model; `nil` stays.
package struct LoggedModelUpdate: Sendable, Hashable {
    /// READY needs a tree.
    package var status: LoggedModelStatus?
    package var statusMessage: String?
    /// Makes the model READY; cannot be changed once it is set.
    package var tree: SHA256Digest?
    /// Sum of the tree's sizes in bytes; counts with a tree only.
    package var size: UInt64
    /// What the tree's files say it is; counts with a tree only.
    package var model: ModelDescription
    package var tags: TagChanges
    package var params: [Param]

    package init(
        status: LoggedModelStatus? = nil, statusMessage: String? = nil,
        tree: SHA256Digest? = nil, size: UInt64 = 0,
        model: ModelDescription = ModelDescription(), tags: TagChanges = TagChanges(),
        params: [Param] = []
    ) {
        self.status = status
        self.statusMessage = statusMessage
        self.tree = tree
        self.size = size
        self.model = model
        self.tags = tags
        self.params = params
    }
}
