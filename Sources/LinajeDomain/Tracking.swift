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
    /// The process owns it: when it ends, so does the run. `start` is its start time in clock ticks
    /// since boot, which tells it from a later process of the same number.
    case process(pid: Int32, start: UInt64)
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
    /// What is known of why it ended.
    public var endedCause: String
    public var params: [Param]
    public var tags: [Tag]
    public var datasets: [DatasetInput]
    public var modelInputs: [ModelLink]
    public var modelOutputs: [ModelLink]
    public var provenance: Provenance?
    public var lease: Lease

    public init(
        id: RunID, experimentID: ExperimentID, name: String, status: RunStatus = .running,
        lifecycle: Lifecycle = .active, user: String = "", principal: String = "",
        parentID: RunID? = nil, startedAt: Timestamp, endedAt: Timestamp? = nil,
        endedCause: String = "", params: [Param] = [], tags: [Tag] = [],
        datasets: [DatasetInput] = [], modelInputs: [ModelLink] = [],
        modelOutputs: [ModelLink] = [], provenance: Provenance? = nil, lease: Lease = .detached
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
        self.datasets = datasets
        self.modelInputs = modelInputs
        self.modelOutputs = modelOutputs
        self.provenance = provenance
        self.lease = lease
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

/// What made a run: code, environment, machine. What a client cannot tell stays empty.
public struct Provenance: Sendable, Hashable, Codable {
    public var git: GitState?
    public var entryPoint = ""
    public var argv: [String] = []
    public var notebook = ""
    public var notebookCells: [String] = []
    public var language = ""
    public var packages: [String: String] = [:]
    public var os = ""
    public var kernel = ""
    public var cpu = ""
    public var memoryBytes: UInt64 = 0
    public var gpus: [String] = []
    public var host = ""
    public var user = ""
    public var environment: [String: String] = [:]
    public var container = ""
    public var purpose = ""

    public init() {}
}

/// The state of a Git work tree.
public struct GitState: Sendable, Hashable, Codable {
    public var commit: String
    public var branch: String
    public var remote: String
    public var isDirty: Bool
    /// Path of the run's artifact that holds the difference as a patch; empty when clean.
    public var diffArtifact: String

    public init(
        commit: String, branch: String = "", remote: String = "", isDirty: Bool = false,
        diffArtifact: String = ""
    ) {
        self.commit = commit
        self.branch = branch
        self.remote = remote
        self.isDirty = isDirty
        self.diffArtifact = diffArtifact
    }
}
