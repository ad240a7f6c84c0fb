import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeRunLogs
import LinajeServices
import Logging

/// The databases and packs of a state directory, opened and brought up to date.
struct DaemonStores: Sendable {
    let catalog: CatalogStore
    let metrics: MetricStore
    let runLogs: RunLogStore
    let artifacts: ArtifactStore
    /// The plugins behind them.
    let descriptors: [PluginDescriptor]
    /// The databases, for whoever looks after them.
    let databases: [MaintenanceService.Database]

    /// Opens everything, step by step. What it finds is recovered from a crash on the way.
    ///
    /// - Throws: `storeTooNew`, `corrupt`, `readOnly`; `cancelled` when the daemon was told to stop.
    init(
        _ stateDirectory: String, settings: DaemonSettings, environment: [String: String],
        clock: any WallClock, progress: StartProgress, logger: Logger
    ) async throws {
        let (catalogBackend, metricsBackend) = try await progress.step("opening the databases") {
            (
                try BuiltinStorage.catalog(stateDirectory: stateDirectory),
                try BuiltinStorage.metrics(stateDirectory: stateDirectory)
            )
        }
        let artifactBackend = try BuiltinStorage.artifacts(
            settings.artifacts, stateDirectory: stateDirectory, environment: environment)
        let catalog = CatalogStore(
            backend: catalogBackend, clock: clock, searchTime: settings.searchTime,
            scanPolicy: settings.scanPolicy)
        let metrics = MetricStore(
            backend: metricsBackend, clock: clock, logger: logger, queueBytes: settings.queueBytes)
        let runLogs = RunLogStore(backend: metricsBackend, limit: settings.logBytes, logger: logger)
        let artifacts = ArtifactStore(
            backend: artifactBackend, original: BuiltinStorage.original(of: artifactBackend),
            index: catalogBackend, clock: clock, logger: logger)
        try await progress.step("preparing the catalog") { try await catalog.prepare() }
        try await progress.step("preparing the metrics") { try await metrics.prepare() }
        try await progress.step("preparing the run logs") { try await runLogs.prepare() }
        try await progress.step("preparing the artifacts") {
            try await artifacts.prepare()
            try await artifacts.enterStrays()
        }
        self.catalog = catalog
        self.metrics = metrics
        self.runLogs = runLogs
        self.artifacts = artifacts
        descriptors = [artifactBackend.descriptor, catalogBackend.descriptor]
        databases = [
            .init(name: "catalog", backend: catalogBackend) { try await catalog.backfill() },
            .init(
                name: "metrics", backend: metricsBackend,
                compact: { try await metrics.compact(report: $0) },
                pauseCompaction: { metrics.pauseCompaction(for: $0) },
                backfill: { try await metrics.backfill() }),
        ]
    }

    /// Closes the databases; nothing may be called afterwards.
    func close() async {
        for database in databases.reversed() { try? await database.backend.close() }
    }
}
