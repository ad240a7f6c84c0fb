public import LinajeDomain
import LinajeTransport
import LinajeWire

extension LinajeClient {
    /// Asks how the daemon is.
    public func status() async throws -> DaemonStatus {
        DaemonStatus(try await call(Methods.getStatus, Linaje_V1_GetStatusRequest()))
    }

    /// Waits for a sign of life of the daemon.
    public func ping() async throws {
        try await retrying { try await self.connections.connection().ping() }
    }
}

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
    /// Bytes waiting in the metric ingest queue.
    public var queued: ByteCount
    /// Resident memory of the daemon.
    public var resident: ByteCount
    /// Free bytes on the file system of the state directory.
    public var free: ByteCount
    /// Chunks in the artifact store.
    public var chunks: UInt64
    /// Bytes those chunks take in pack files.
    public var stored: ByteCount
    /// Bytes those chunks hold.
    public var content: ByteCount
    public var plugins: [PluginStatus]
    /// Why the daemon no longer accepts changes; `nil` while it does.
    public var failure: String?
    /// Migrations of the schema that go on while the daemon serves.
    public var migrations: [MigrationStatus]

    init(_ message: Linaje_V1_Status) {
        version = message.version
        stateDirectory = message.stateDirectory
        startedAt = Timestamp(microseconds: message.startedAtUs)
        pid = message.pid
        connections = Int(message.connections)
        points = message.points
        commits = message.commits
        queued = ByteCount(message.queuedBytes)
        resident = ByteCount(message.residentBytes)
        free = ByteCount(message.freeBytes)
        chunks = message.chunks
        stored = ByteCount(message.storedBytes)
        content = ByteCount(message.contentBytes)
        plugins = message.plugins.map { PluginStatus($0) }
        failure = message.failure.isEmpty ? nil : message.failure
        migrations = message.migrations.map { MigrationStatus($0) }
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
        total == 0 ? 0 : min(99, Int(Double(done) / Double(total) * 100))
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
