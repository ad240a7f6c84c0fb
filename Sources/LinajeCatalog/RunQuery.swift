package import LinajeDomain

/// Which runs are wanted; an empty list or `nil` excludes nothing.
package struct RunQuery: Sendable, Hashable {
    /// Only in these experiments.
    package var experimentIDs: [ExperimentID]
    /// Only with one of these statuses.
    package var statuses: [RunStatus]
    /// Only with all of these tags.
    package var tags: [Tag]
    /// `nil`: deleted runs too.
    package var lifecycle: Lifecycle?
    /// Only parts of this run.
    package var parentID: RunID?
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(
        experimentIDs: [ExperimentID] = [], statuses: [RunStatus] = [], tags: [Tag] = [],
        lifecycle: Lifecycle? = .active, parentID: RunID? = nil, filter: Filter = .everything,
        order: [SortKey] = [], page: Page
    ) {
        self.experimentIDs = experimentIDs
        self.statuses = statuses
        self.tags = tags
        self.lifecycle = lifecycle
        self.parentID = parentID
        self.filter = filter
        self.order = order
        self.page = page
    }
}

extension RunQuery {
    /// Whether it is answered from the last values of metrics.
    package var usesMetrics: Bool {
        filter.usesMetrics || order.useMetrics
    }
}

/// A run to be created.
package struct NewRun: Sendable, Hashable {
    /// `nil`: a new random one.
    package var id: RunID?
    package var experimentID: ExperimentID
    /// Empty: one is made of the id.
    package var name: String
    package var user: String
    package var parentID: RunID?
    /// `nil`: now.
    package var startedAt: Timestamp?
    package var tags: [Tag]
    package var params: [Param]
    package var provenance: Provenance?
    package var lease: Lease
    /// RUNNING or SCHEDULED.
    package var status: RunStatus

    package init(
        id: RunID? = nil, experimentID: ExperimentID, name: String = "", user: String = "",
        parentID: RunID? = nil, startedAt: Timestamp? = nil, tags: [Tag] = [],
        params: [Param] = [], provenance: Provenance? = nil, lease: Lease = .detached,
        status: RunStatus = .running
    ) {
        self.id = id
        self.experimentID = experimentID
        self.name = name
        self.user = user
        self.parentID = parentID
        self.startedAt = startedAt
        self.tags = tags
        self.params = params
        self.provenance = provenance
        self.lease = lease
        self.status = status
    }
}

/// What is changed of a run; `nil` stays.
package struct RunUpdate: Sendable, Hashable {
    /// A terminal one ends the run and its lease; RUNNING resumes a run that has ended.
    package var status: RunStatus?
    /// `nil` with a terminal status: now.
    package var endedAt: Timestamp?
    package var name: String?
    /// Deletes or restores it.
    package var lifecycle: Lifecycle?
    package var endedCause: String?
    /// What is known of the end of its process.
    package var processEnd: ProcessEnd?
    /// Only notes `status`: it counts when the owner ends the run FINISHED.
    package var isWish: Bool

    package init(
        status: RunStatus? = nil, endedAt: Timestamp? = nil, name: String? = nil,
        lifecycle: Lifecycle? = nil, endedCause: String? = nil, processEnd: ProcessEnd? = nil,
        isWish: Bool = false
    ) {
        self.status = status
        self.endedAt = endedAt
        self.name = name
        self.lifecycle = lifecycle
        self.endedCause = endedCause
        self.processEnd = processEnd
        self.isWish = isWish
    }
}

/// What is added to a run by one call.
package struct RunAdditions: Sendable, Hashable {
    package var params: [Param]
    package var tags: TagChanges
    package var datasets: [DatasetInput]
    package var modelInputs: [ModelLink]
    package var modelOutputs: [ModelLink]
    /// Replaces what was known; `nil`: it stays.
    package var provenance: Provenance?
    /// `provenance` is added to what was known instead.
    package var mergesProvenance: Bool

    package init(
        params: [Param] = [], tags: TagChanges = TagChanges(), datasets: [DatasetInput] = [],
        modelInputs: [ModelLink] = [], modelOutputs: [ModelLink] = [],
        provenance: Provenance? = nil, mergesProvenance: Bool = false
    ) {
        self.params = params
        self.tags = tags
        self.datasets = datasets
        self.modelInputs = modelInputs
        self.modelOutputs = modelOutputs
        self.provenance = provenance
        self.mergesProvenance = mergesProvenance
    }
}

/// What the metric path needs to know of a run.
package struct RunState: Sendable, Hashable {
    package var status: RunStatus
    package var lifecycle: Lifecycle
    package var lease: Lease

    /// Whether metrics may be added: the run has neither ended nor been deleted.
    package var isOpen: Bool { !status.isTerminal && lifecycle == .active }
}

/// A run whose owner has to be watched.
package struct LeasedRun: Sendable, Hashable {
    package var id: RunID
    package var lease: Lease
    /// When a heartbeat, an attachment or the creation was last heard of.
    package var lastHeartbeat: Timestamp
    package var status: RunStatus
}

/// A tree that was put among the artifacts of a run.
package struct ArtifactMount: Sendable, Hashable {
    /// Where it was put; `nil`: at the root.
    package var path: TreePath?
    package var tree: SHA256Digest
    /// Sum of its files' sizes in bytes.
    package var size: UInt64
    /// Number of its entries.
    package var files: UInt64
    package var mountedAt: Timestamp
}
