import Glibc
package import LinajeArtifacts
import LinajeCatalog
package import LinajeDomain
package import LinajeMetrics
package import LinajePluginKit

/// How the daemon is.
package struct StatusService: Sendable {
    let catalog: CatalogStore
    let store: ArtifactStore
    let metrics: MetricStore
    let plugins: [PluginDescriptor]
    let clock: any WallClock
    let stateDirectory: String
    package let version: String
    let startedAt: Timestamp

    init(
        catalog: CatalogStore, store: ArtifactStore, metrics: MetricStore,
        plugins: [PluginDescriptor], clock: any WallClock, stateDirectory: String,
        version: String
    ) {
        self.catalog = catalog
        self.store = store
        self.metrics = metrics
        self.plugins = plugins
        self.clock = clock
        self.stateDirectory = stateDirectory
        self.version = version
        startedAt = clock.now()
    }

    /// How it is now. It reads from both databases, so an answer says that both are there.
    package func current() async throws -> DaemonStatus {
        let artifacts = try await store.statistics()
        try await metrics.checkReading()
        let migrations = try await catalog.pendingBackfills() + metrics.pendingBackfills()
        return DaemonStatus(
            version: version, stateDirectory: stateDirectory, startedAt: startedAt, pid: getpid(),
            metrics: metrics.statistics, artifacts: artifacts,
            residentBytes: Self.residentBytes(), freeBytes: Self.freeBytes(stateDirectory),
            plugins: plugins, migrations: migrations)
    }

    /// Resident memory of this process, from /proc/self/statm.
    private static func residentBytes() -> UInt64 {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        let fields = bytes[..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self))
        else { return 0 }
        return pages &* UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func freeBytes(_ path: String) -> UInt64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        return UInt64(status.f_bavail) &* UInt64(status.f_frsize)
    }
}

/// How the daemon is, at one moment.
package struct DaemonStatus: Sendable {
    package var version: String
    package var stateDirectory: String
    package var startedAt: Timestamp
    package var pid: Int32
    package var metrics: MetricStatistics
    package var artifacts: ArtifactStatistics
    package var residentBytes: UInt64
    package var freeBytes: UInt64
    package var plugins: [PluginDescriptor]
    /// What migrations have left to do while the daemon serves.
    package var migrations: [SQLBackfillProgress]
}
