public import LinajeDomain
import LinajeWire

/// A run to be created.
public struct NewRun: Sendable {
    /// Chosen by the caller, so that a run has an id before the daemon was reached.
    public var id: RunID
    public var experimentID: ExperimentID
    /// Empty: the daemon makes one of the id.
    public var name = ""
    /// The user's name, for people.
    public var user = ""
    public var parentID: RunID?
    /// `nil`: now.
    public var startedAt: Timestamp?
    public var tags: [Tag] = []
    public var params: [Param] = []
    public var provenance: Provenance?
    /// Who owns it; a process lease ends the run when this process ends.
    public var lease = Lease.detached
    /// SCHEDULED instead of RUNNING.
    public var isScheduled = false

    public init(id: RunID = .timeOrdered(), experimentID: ExperimentID = 0, name: String = "") {
        self.id = id
        self.experimentID = experimentID
        self.name = name
    }
}

/// What to add to a run, all or nothing.
public struct RunAdditions: Sendable {
    /// One that exists with another value is a `conflict`.
    public var params: [Param] = []
    public var tags = TagChanges()
    public var datasets: [DatasetInput] = []
    public var modelInputs: [ModelLink] = []
    public var modelOutputs: [ModelLink] = []
    /// Replaces what was known.
    public var provenance: Provenance?
    /// `provenance` is added to what was known instead: what is not empty replaces, maps are merged.
    public var mergesProvenance = false

    public init() {}
}

extension LinajeClient {
    /// Creates a run; one with this id that the same principal created in the same experiment is
    /// returned as it is.
    public func createRun(_ run: NewRun) async throws -> Run {
        var request = Linaje_V1_CreateRunRequest()
        request.id = run.id.data
        request.experimentID = run.experimentID
        request.name = run.name
        request.user = run.user
        if let parent = run.parentID { request.parentID = parent.data }
        request.startedAtUs = run.startedAt?.microseconds ?? 0
        request.tags = run.tags.map(Linaje_V1_Tag.init)
        request.params = run.params.map(Linaje_V1_Param.init)
        if let provenance = run.provenance {
            request.provenance = Linaje_V1_Provenance(provenance)
        }
        request.lease = Linaje_V1_Lease(run.lease)
        request.status = run.isScheduled ? .scheduled : .running
        return try Run(await call(Methods.createRun, request))
    }

    /// A run with everything that is known of it.
    public func run(_ id: RunID) async throws -> Run {
        var request = Linaje_V1_GetRunRequest()
        request.id = id.data
        return try Run(await call(Methods.getRun, request))
    }

    /// Lists runs, newest first unless another order is asked for, without provenance. Empty
    /// conditions mean any; `lifecycle` `nil` means active and deleted ones.
    public func runs(
        experiments: [ExperimentID] = [], statuses: [RunStatus] = [], tags: [Tag] = [],
        parent: RunID? = nil, lifecycle: Lifecycle? = .active,
        search: SearchTerms = SearchTerms(), page: Page? = nil
    ) async throws -> Paged<Run> {
        try await unreadRuns(
            experiments: experiments, statuses: statuses, tags: tags, parent: parent,
            lifecycle: lifecycle, search: search, page: page
        ).page()
    }

    /// As `runs`, for `eachPage`.
    public func unreadRuns(
        experiments: [ExperimentID] = [], statuses: [RunStatus] = [], tags: [Tag] = [],
        parent: RunID? = nil, lifecycle: Lifecycle? = .active,
        search: SearchTerms = SearchTerms(), page: Page? = nil
    ) async throws -> UnreadPage<Run> {
        var request = Linaje_V1_SearchRunsRequest()
        request.search = Linaje_V1_Search(search)
        request.experimentIds = experiments
        request.statuses = statuses.map(Linaje_V1_RunStatus.init)
        request.tags = tags.map(Linaje_V1_Tag.init)
        request.lifecycle = Linaje_V1_Lifecycle(filter: lifecycle)
        if let page { request.page = Linaje_V1_Page(page) }
        if let parent { request.parentID = parent.data }
        let answer = try await answer(Methods.searchRuns, request)
        return UnreadPage(
            nextPageToken: Linaje_V1_SearchRunsResponse.nextPageToken(in: answer)
        ) {
            let response = try Linaje_V1_SearchRunsResponse(payload: answer)
            return Paged(
                try response.runs.map { try Run($0) }, nextPageToken: response.nextPageToken,
                facts: SearchFacts(response.facts))
        }
    }

    /// Lists the data sets of all runs, those logged last first.
    public func datasets(
        search: SearchTerms = SearchTerms(), page: Page? = nil
    ) async throws -> Paged<FoundDataset> {
        var request = Linaje_V1_SearchDatasetsRequest()
        request.search = Linaje_V1_Search(search)
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.searchDatasets, request)
        return Paged(
            try response.datasets.map { try FoundDataset($0) },
            nextPageToken: response.nextPageToken, facts: SearchFacts(response.facts))
    }

    /// Changes a run; what is `nil` stays. A terminal status ends the run and its lease; RUNNING
    /// resumes one that has ended. `isWish`: the caller works below the run's owner, its status
    /// counts when the owner ends the run FINISHED.
    public func updateRun(
        _ id: RunID, status: RunStatus? = nil, endedAt: Timestamp? = nil, name: String? = nil,
        lifecycle: Lifecycle? = nil, endedCause: String? = nil, processEnd: ProcessEnd? = nil,
        isWish: Bool = false
    ) async throws -> Run {
        var request = Linaje_V1_UpdateRunRequest()
        request.id = id.data
        if let status { request.status = Linaje_V1_RunStatus(status) }
        if let endedAt { request.endedAtUs = endedAt.microseconds }
        if let name { request.name = name }
        if let lifecycle { request.lifecycle = Linaje_V1_Lifecycle(lifecycle) }
        if let endedCause { request.endedCause = endedCause }
        if let processEnd { request.processEnd = Linaje_V1_ProcessEnd(processEnd) }
        request.asWish = isWish
        return try Run(await call(Methods.updateRun, request))
    }

    /// Adds params, tags, inputs and outputs to a run, all or nothing.
    public func log(_ additions: RunAdditions, to id: RunID) async throws {
        var request = Linaje_V1_LogRunRequest()
        request.id = id.data
        request.params = additions.params.map(Linaje_V1_Param.init)
        if !additions.tags.isEmpty { request.tags = Linaje_V1_TagChanges(additions.tags) }
        request.datasets = additions.datasets.map(Linaje_V1_DatasetInput.init)
        request.modelInputs = additions.modelInputs.map(Linaje_V1_ModelLink.init)
        request.modelOutputs = additions.modelOutputs.map(Linaje_V1_ModelLink.init)
        if let provenance = additions.provenance {
            request.provenance = Linaje_V1_Provenance(provenance)
            request.mergeProvenance = additions.mergesProvenance
        }
        _ = try await call(Methods.logRun, request)
    }

    /// Takes or renews the owner's lease of a run; a STALLED run is RUNNING again.
    public func attach(to id: RunID, lease: Lease) async throws -> Run {
        var request = Linaje_V1_AttachRunRequest()
        request.id = id.data
        request.lease = Linaje_V1_Lease(lease)
        return try Run(await call(Methods.attachRun, request))
    }

    /// Says that the owner of a run is alive.
    public func heartbeat(_ id: RunID) async throws {
        var request = Linaje_V1_HeartbeatRequest()
        request.id = id.data
        _ = try await call(Methods.heartbeat, request)
    }
}
