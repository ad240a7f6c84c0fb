import Glibc
package import LinajeArtifacts
import LinajeCatalog
package import LinajeDomain
package import LinajeHost
package import LinajeMetrics
package import LinajePluginKit
import LinajeRunLogs
package import LinajeTelemetry

/// How the daemon is: for people, and for programs that watch it.
package struct StatusService: Sendable {
    let catalog: CatalogStore
    let store: ArtifactStore
    let metrics: MetricStore
    let logs: RunLogStore
    let owners: OwnerWatch
    let backups: BackupService
    let plugins: [PluginDescriptor]
    let kernel: Set<KernelFacility>
    let telemetry: TelemetryRegistry
    let stateDirectory: String
    package let version: String
    let startedAt: Timestamp

    init(
        catalog: CatalogStore, store: ArtifactStore, metrics: MetricStore, logs: RunLogStore,
        owners: OwnerWatch, backups: BackupService, plugins: [PluginDescriptor],
        kernel: Set<KernelFacility>, telemetry: TelemetryRegistry,
        clock: any WallClock, stateDirectory: String, version: String
    ) {
        self.catalog = catalog
        self.store = store
        self.metrics = metrics
        self.logs = logs
        self.owners = owners
        self.backups = backups
        self.plugins = plugins
        self.kernel = kernel
        self.telemetry = telemetry
        self.stateDirectory = stateDirectory
        self.version = version
        startedAt = clock.now()
    }

    /// How it is now. It reads from both databases, so an answer says that both are there.
    package func current() async throws -> DaemonStatus {
        let artifacts = try await store.statistics()
        try await metrics.checkReading()
        let calls = telemetry.total("linaje_calls_total")
        let good = telemetry.total("linaje_calls_total") {
            $0.contains(MetricLabel("result", "ok"))
        }
        return DaemonStatus(
            version: version, stateDirectory: stateDirectory, startedAt: startedAt, pid: getpid(),
            metrics: metrics.statistics, artifacts: artifacts,
            process: await ProcessUsage.current(stateDirectory: stateDirectory), plugins: plugins,
            commitLatency: telemetry.histogram("linaje_ingest_commit_seconds"),
            calls: calls, failedCalls: calls - min(calls, good),
            receivedBytes: telemetry.total("linaje_received_bytes_total"),
            sentBytes: telemetry.total("linaje_sent_bytes_total"),
            refusedConnections: telemetry.total("linaje_connections_refused_total"),
            cutConnections: telemetry.total("linaje_connections_cut_total"),
            watchedRuns: UInt64(clamping: owners.watchedCount),
            stalledRuns: try await catalog.read { try $0.stalledRunCount() },
            kernel: kernel,
            migrations: try await catalog.pendingBackfills() + metrics.pendingBackfills(),
            upkeep: try await store.upkeepRecords() + [backups.record].compactMap(\.self))
    }

    /// Why the daemon accepts no more changes, or `nil`.
    package func failure() async -> LinajeError? {
        if let failure = metrics.statistics.failure ?? logs.failure { return failure }
        return await store.failure
    }

    /// Everything the daemon counts about itself, in the Prometheus text format
    /// (docs/telemetry.md). A store that cannot be read leaves its figures out: what is known of a
    /// daemon in trouble is wanted most.
    package func exposition() async -> String {
        let ingest = metrics.statistics
        let artifactsFailed = await store.failure != nil
        let process = await ProcessUsage.current(stateDirectory: stateDirectory)
        var samples = Self.samples(process)
        samples += [
            MetricSample("linaje_build_info", 1, [MetricLabel("version", version)]),
            MetricSample("linaje_ingest_queue_bytes", Double(ingest.queuedBytes)),
            MetricSample("linaje_ingest_queue_limit_bytes", Double(ingest.queueLimit)),
            MetricSample("linaje_runs_watched", Double(owners.watchedCount)),
            MetricSample(
                "linaje_storage_failed", ingest.failure == nil ? 0 : 1,
                [MetricLabel("store", "metrics")]),
            MetricSample(
                "linaje_storage_failed", artifactsFailed ? 1 : 0,
                [MetricLabel("store", "artifacts")]),
        ]
        if let artifacts = try? await store.statistics() {
            samples += [
                MetricSample("linaje_artifact_store_packs", Double(artifacts.packs)),
                MetricSample("linaje_artifact_store_chunks", Double(artifacts.chunks)),
                MetricSample("linaje_artifact_store_bytes", Double(artifacts.storedBytes)),
                MetricSample("linaje_artifact_store_content_bytes", Double(artifacts.contentBytes)),
            ]
        }
        let counts = try? await catalog.read {
            (events: try $0.eventCount(), stalled: try $0.stalledRunCount())
        }
        if let counts {
            samples += [
                MetricSample("linaje_ledger_events_total", Double(counts.events)),
                MetricSample("linaje_runs_stalled", Double(counts.stalled)),
            ]
        }
        return telemetry.text(samples)
    }

    private static func samples(_ process: ProcessUsage) -> [MetricSample] {
        [
            MetricSample("linaje_disk_free_bytes", Double(process.freeBytes)),
            MetricSample("linaje_disk_bytes", Double(process.totalBytes)),
            MetricSample("process_cpu_seconds_total", process.processor / .seconds(1)),
            MetricSample("process_resident_memory_bytes", Double(process.residentBytes)),
            MetricSample("process_virtual_memory_bytes", Double(process.virtualBytes)),
            MetricSample("process_open_fds", Double(process.openFiles)),
            MetricSample("process_max_fds", Double(process.openFilesLimit)),
            MetricSample("process_start_time_seconds", process.startedAt),
        ]
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
    package var process: ProcessUsage
    package var plugins: [PluginDescriptor]
    /// How long commits of metric points took, since the start.
    package var commitLatency: HistogramSnapshot?
    /// Calls that are over, and those of them that failed, since the start.
    package var calls: UInt64
    package var failedCalls: UInt64
    /// Bytes over all connections since the start.
    package var receivedBytes: UInt64
    package var sentBytes: UInt64
    /// Connections that were not let in, and those that were ended for what they did.
    package var refusedConnections: UInt64
    package var cutConnections: UInt64
    /// Runs whose owner is watched, and runs that are STALLED.
    package var watchedRuns: UInt64
    package var stalledRuns: UInt64
    /// What the kernel offers to watch owners by.
    package var kernel: Set<KernelFacility>
    /// What migrations have left to do while the daemon serves.
    package var migrations: [SQLBackfillProgress]
    /// How the artifact store was looked after last, and the backup that is open.
    package var upkeep: [UpkeepRecord]
}
