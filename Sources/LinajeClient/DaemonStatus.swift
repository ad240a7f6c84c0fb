public import LinajeDomain
import LinajeWire

/// How the daemon is.
public struct DaemonStatus: Sendable, Hashable {
    public var version: String
    public var stateDirectory: String
    public var startedAt: Timestamp
    public var pid: Int32
    /// Open connections, this one included.
    public var connections: Int
    /// Metric points made durable since the start.
    public var points: UInt64
    /// Commits of metric points since the start.
    public var commits: UInt64
    /// How long those commits took.
    public var commitLatency: LatencyHistogram
    /// Bytes waiting in the metric ingest queue, and how many may.
    public var queued: ByteCount
    public var queueLimit: ByteCount
    /// Resident memory of the daemon.
    public var resident: ByteCount
    /// Processor time of the daemon, user and system.
    public var processor: Duration
    /// Free bytes on the file system of the state directory, and its size.
    public var free: ByteCount
    public var total: ByteCount
    /// Chunks in the artifact store.
    public var chunks: UInt64
    /// Bytes those chunks take in pack files.
    public var stored: ByteCount
    /// Bytes those chunks hold.
    public var content: ByteCount
    /// Calls that are over, and those of them that failed, since the start.
    public var calls: UInt64
    public var failedCalls: UInt64
    /// Bytes received from clients and sent to them since the start.
    public var received: ByteCount
    public var sent: ByteCount
    /// Connections that were not let in, and those ended for what they did, since the start.
    public var refusedConnections: UInt64
    public var cutConnections: UInt64
    /// Runs whose owner is watched, and runs that are STALLED.
    public var watchedRuns: UInt64
    public var stalledRuns: UInt64
    /// Files the daemon has open, and how many it may have.
    public var openFiles: UInt64
    public var openFilesLimit: UInt64
    public var plugins: [PluginStatus]
    /// Optional features of the kernel that the daemon uses where they are.
    public var kernelFeatures: [KernelFeature]
    /// Why the daemon no longer accepts changes; `nil` while it does.
    public var failure: String?
    /// Migrations of the schema that go on while the daemon serves.
    public var migrations: [MigrationStatus]
    /// How the artifact store was looked after last, by task.
    public var upkeep: [UpkeepRecord]

    init(_ message: Linaje_V1_Status) {
        version = message.version
        stateDirectory = message.stateDirectory
        startedAt = Timestamp(microseconds: message.startedAtUs)
        pid = message.pid
        connections = Int(message.connections)
        points = message.points
        commits = message.commits
        commitLatency = LatencyHistogram(message.commitLatency)
        queued = ByteCount(message.queuedBytes)
        queueLimit = ByteCount(message.queueLimitBytes)
        resident = ByteCount(message.residentBytes)
        processor = .microseconds(Int64(clamping: message.cpuUs))
        free = ByteCount(message.freeBytes)
        total = ByteCount(message.totalBytes)
        chunks = message.chunks
        stored = ByteCount(message.storedBytes)
        content = ByteCount(message.contentBytes)
        calls = message.calls
        failedCalls = message.failedCalls
        received = ByteCount(message.receivedBytes)
        sent = ByteCount(message.sentBytes)
        refusedConnections = message.refusedConnections
        cutConnections = message.cutConnections
        watchedRuns = message.watchedRuns
        stalledRuns = message.stalledRuns
        openFiles = message.openFiles
        openFilesLimit = message.openFilesLimit
        plugins = message.plugins.map { PluginStatus($0) }
        kernelFeatures = message.kernelFeatures.map { KernelFeature($0) }
        failure = message.failure.isEmpty ? nil : message.failure
        migrations = message.migrations.map { MigrationStatus($0) }
        upkeep = message.upkeep.map { UpkeepRecord($0) }
    }
}

/// A migration of the schema that goes on while the daemon serves.
public struct MigrationStatus: Sendable, Hashable {
    /// What it belongs to: "catalog", "artifacts" or "metrics".
    public var namespace: String
    public var name: String
    /// Rows worked through.
    public var done: UInt64
    /// Rows there were to work through when it began.
    public var total: UInt64

    /// 0 to 99.
    public var percent: Int {
        total == 0 ? 0 : Int(min(99, Double(done) / Double(total) * 100))
    }

    init(_ message: Linaje_V1_MigrationStatus) {
        namespace = message.namespace
        name = message.name
        done = message.done
        total = message.total
    }
}

/// How one plugin of the daemon is.
public struct PluginStatus: Sendable, Hashable {
    public var name: String
    /// "artifact backend", "sql backend" or "model flavor".
    public var kind: String
    public var version: String
    /// What is wrong with it; `nil` while nothing is.
    public var failure: String?

    init(_ message: Linaje_V1_PluginStatus) {
        name = message.name
        kind = message.kind
        version = message.version
        failure = message.failure.isEmpty ? nil : message.failure
    }
}

/// An optional feature of the daemon's kernel.
public struct KernelFeature: Sendable, Hashable {
    /// "SO_PEERPIDFD".
    public var name: String
    public var isAvailable: Bool
    /// What it is good for, and what happens without it.
    public var meaning: String

    init(_ message: Linaje_V1_KernelFeature) {
        name = message.name
        isAvailable = message.available
        meaning = message.meaning
    }
}
