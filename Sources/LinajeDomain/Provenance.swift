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
    /// The job of a batch scheduler that it ran in.
    public var job: SchedulerJob?
    /// What is known of the container besides its id.
    public var containerIdentity: ContainerIdentity?

    public init() {}

    /// Takes what `other` knows: its fields that are not empty replace these, maps are merged.
    public mutating func merge(_ other: Provenance) {
        func take<Value: Collection>(_ field: WritableKeyPath<Provenance, Value>) {
            if !other[keyPath: field].isEmpty { self[keyPath: field] = other[keyPath: field] }
        }
        git = other.git ?? git
        job = other.job ?? job
        containerIdentity = other.containerIdentity ?? containerIdentity
        if other.memoryBytes != 0 { memoryBytes = other.memoryBytes }
        for field in [
            \.entryPoint, \.notebook, \.language, \.os, \.kernel, \.cpu, \.host, \.user,
            \.container, \.purpose,
        ] as [WritableKeyPath<Provenance, String>] { take(field) }
        for field in [\.argv, \.notebookCells, \.gpus] as [WritableKeyPath<Provenance, [String]>] {
            take(field)
        }
        packages.merge(other.packages) { $1 }
        environment.merge(other.environment) { $1 }
    }
}

/// A job of a batch scheduler, by the scheduler's own names; what it does not say is empty.
public struct SchedulerJob: Sendable, Hashable, Codable {
    /// "slurm", "lsf", "pbs", "sge".
    public var scheduler: String
    public var jobID = ""
    public var jobName = ""
    /// The id of the array that it is an element of.
    public var arrayID = ""
    public var arrayTask = ""
    public var step = ""
    /// The rank of the process within the step.
    public var rank = ""
    public var node = ""
    /// All nodes of the job, as the scheduler writes them.
    public var nodes = ""
    public var cluster = ""
    /// The partition or queue.
    public var queue = ""

    public init(scheduler: String) { self.scheduler = scheduler }
}

/// A container, as far as a process inside can tell.
public struct ContainerIdentity: Sendable, Hashable, Codable {
    /// "docker", "podman", "kubernetes", "apptainer", "singularity", "lxc", "systemd-nspawn".
    public var runtime: String
    /// Its name: the pod's, the instance's.
    public var name: String
    public var image: String

    public init(runtime: String, name: String = "", image: String = "") {
        self.runtime = runtime
        self.name = name
        self.image = image
    }
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
