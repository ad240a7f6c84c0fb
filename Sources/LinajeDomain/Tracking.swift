/// A named group of runs.
public struct Experiment: Sendable, Hashable {
    public var id: ExperimentID
    public var name: String
    public var lifecycle: Lifecycle
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var tags: [Tag]

    public init(
        id: ExperimentID, name: String, lifecycle: Lifecycle = .active, createdAt: Timestamp,
        updatedAt: Timestamp, tags: [Tag] = []
    ) {
        self.id = id
        self.name = name
        self.lifecycle = lifecycle
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
    }
}

/// How far a run is.
public enum RunStatus: String, Sendable, Hashable, Codable, CaseIterable {
    case running = "RUNNING"
    case scheduled = "SCHEDULED"
    case finished = "FINISHED"
    case failed = "FAILED"
    case killed = "KILLED"
    /// Its owner has not been heard of for longer than its heartbeat timeout; it may resume.
    case stalled = "STALLED"

    /// Whether the run has ended: its metrics are closed, its lease is over.
    public var isTerminal: Bool {
        switch self {
        case .finished, .failed, .killed: true
        case .running, .scheduled, .stalled: false
        }
    }
}

/// The claim of an owner on a run (DESIGN, "What is honest about a model").
public enum Lease: Sendable, Hashable {
    /// Nobody owns the run: it stays RUNNING until somebody finishes it.
    case detached
    /// The process owns it: when it ends, so does the run. `pid` is 0 when it lives in another pid
    /// namespace. `start` is its start time in clock ticks since boot and `boot` the id of that boot,
    /// which tell it from a later process of the same number; an empty `boot` is not known.
    /// `supervises`: it is the parent of the process that does the work, its own end says nothing of
    /// how that one ends.
    case process(pid: Int32, start: UInt64, boot: String = "", supervises: Bool = false)
    /// Whoever sends heartbeats owns it: after the timeout it is STALLED.
    case heartbeat(timeout: Duration)
}

/// One execution of training code.
public struct Run: Sendable, Hashable {
    public var id: RunID
    public var experimentID: ExperimentID
    public var name: String
    public var status: RunStatus
    public var lifecycle: Lifecycle
    /// The user name that the client gave.
    public var user: String
    /// Who created it, as the server knows it: "uid:1000".
    public var principal: String
    public var parentID: RunID?
    public var startedAt: Timestamp
    public var endedAt: Timestamp?
    /// What is known of why it ended, or is STALLED.
    public var endedCause: String
    public var params: [Param]
    public var tags: [Tag]
    /// The last value of each metric, by key; in lists only, and as far as it is indexed.
    public var metrics: [RunMetric]
    public var datasets: [DatasetInput]
    public var modelInputs: [ModelLink]
    public var modelOutputs: [ModelLink]
    public var provenance: Provenance?
    public var lease: Lease
    /// When its owner was last heard of; `nil` when it has ended.
    public var ownerHeardAt: Timestamp?
    /// What is known of the end of its process; `nil` while it runs, and in lists.
    public var processEnd: ProcessEnd?

    public init(
        id: RunID, experimentID: ExperimentID, name: String, status: RunStatus = .running,
        lifecycle: Lifecycle = .active, user: String = "", principal: String = "",
        parentID: RunID? = nil, startedAt: Timestamp, endedAt: Timestamp? = nil,
        endedCause: String = "", params: [Param] = [], tags: [Tag] = [],
        metrics: [RunMetric] = [], datasets: [DatasetInput] = [], modelInputs: [ModelLink] = [],
        modelOutputs: [ModelLink] = [], provenance: Provenance? = nil, lease: Lease = .detached,
        ownerHeardAt: Timestamp? = nil, processEnd: ProcessEnd? = nil
    ) {
        self.id = id
        self.experimentID = experimentID
        self.name = name
        self.status = status
        self.lifecycle = lifecycle
        self.user = user
        self.principal = principal
        self.parentID = parentID
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.endedCause = endedCause
        self.params = params
        self.tags = tags
        self.metrics = metrics
        self.datasets = datasets
        self.modelInputs = modelInputs
        self.modelOutputs = modelOutputs
        self.provenance = provenance
        self.lease = lease
        self.ownerHeardAt = ownerHeardAt
        self.processEnd = processEnd
    }
}

/// The last value of a metric of a run: the highest step, then the latest time, then the last to
/// arrive, over everything that was logged under the key.
public struct RunMetric: Sendable, Hashable {
    public var key: String
    public var value: Double
    public var step: Int64
    /// Microseconds since 1970 UTC.
    public var time: Int64

    public init(key: String, value: Double, step: Int64, time: Int64) {
        self.key = key
        self.value = value
        self.step = step
        self.time = time
    }
}

/// Whose the last values of metrics are.
public enum MetricOwner: Sendable, Hashable {
    /// A run, with all that was logged in it.
    case run(RunID)
    /// A logged model, with what was logged about it in any run.
    case model(LoggedModelID)
}

/// Last values of metrics on their way into an index.
public struct OwnedMetrics: Sendable, Hashable {
    public var owner: MetricOwner
    public var metrics: [RunMetric]
    /// These are all that the owner has, rather than some of them.
    public var isWhole: Bool

    public init(owner: MetricOwner, metrics: [RunMetric], isWhole: Bool) {
        self.owner = owner
        self.metrics = metrics
        self.isWhole = isWhole
    }
}

/// A data set as a run used it. The same name, first digest and context is the same input.
public struct DatasetInput: Sendable, Hashable, Codable {
    public var name: String
    /// Digests of its whole content; the first is shown.
    public var digests: [ContentDigest]
    /// The digest text of a client with a scheme of its own (MLflow).
    public var clientDigest: String
    public var sourceType: String
    public var source: String
    /// JSON, or empty.
    public var schema: String
    /// JSON, or empty.
    public var profile: String
    /// What it was for: "training", "evaluation".
    public var context: String
    /// The text of the `.dvc` pointer beside the source, or empty.
    public var dvcPointer: String
    /// Bytes of its content; 0: unknown.
    public var size: UInt64
    public var tags: [Tag]

    public init(
        name: String, digests: [ContentDigest] = [], clientDigest: String = "",
        sourceType: String = "", source: String = "", schema: String = "", profile: String = "",
        context: String = "", dvcPointer: String = "", size: UInt64 = 0, tags: [Tag] = []
    ) {
        self.name = name
        self.digests = digests
        self.clientDigest = clientDigest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
        self.context = context
        self.dvcPointer = dvcPointer
        self.size = size
        self.tags = tags
    }
}

/// A data set with the run that used it.
public struct FoundDataset: Sendable, Hashable {
    public var runID: RunID
    public var dataset: DatasetInput

    public init(runID: RunID, dataset: DatasetInput) {
        self.runID = runID
        self.dataset = dataset
    }
}

/// A model as a run used or made it.
public struct ModelLink: Sendable, Hashable {
    public var loggedModelID: LoggedModelID?
    /// A models:/ URI or any other name; empty when `loggedModelID` says which.
    public var uri: String
    public var step: Int64
    /// "model", "derived_from", "transformer".
    public var role: String

    public init(loggedModelID: LoggedModelID?, uri: String = "", step: Int64 = 0, role: String = "")
    {
        self.loggedModelID = loggedModelID
        self.uri = uri
        self.step = step
        self.role = role
    }
}
