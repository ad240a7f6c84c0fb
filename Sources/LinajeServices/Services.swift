package import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain
package import LinajeHost
package import LinajeMetrics
package import LinajePluginKit
package import LinajeRunLogs
package import LinajeTelemetry
package import Logging

/// The use cases of the daemon, one value per noun, over its three engines.
///
/// A service checks what a caller may not know, calls the engines in the right order and keeps
/// their promises together; it neither knows messages nor sockets.
package struct Services: Sendable {
    package let access: AccessControl
    package let artifacts: ArtifactService
    package let backups: BackupService
    package let imports: ImportService
    package let experiments: ExperimentService
    package let ledger: LedgerService
    package let loggedModels: LoggedModelService
    package let maintenance: MaintenanceService
    package let metrics: MetricService
    package let purges: RunPurgeService
    package let registry: RegistryService
    package let remotes: RemoteService
    package let retention: RetentionService
    package let runLogs: RunLogService
    package let runs: RunService
    package let status: StatusService
    package let upkeep: ArtifactUpkeepService

    package let plugins: PluginService
    package let owners: OwnerWatch
    package let index: MetricIndexService
    /// What the kernel offers to watch owners by.
    package let kernel: Set<KernelFacility>

    package init(
        access: AccessControl, catalog: CatalogStore, metrics metricStore: MetricStore,
        runLogs logStore: RunLogStore, artifacts store: ArtifactStore,
        upkeep upkeepConfiguration: ArtifactUpkeepService.Configuration,
        databases: [MaintenanceService.Database],
        remotes remoteStores: RemoteService.Configuration,
        plugins linked: [PluginDescriptor], installed: InstalledPlugins,
        telemetry: TelemetryRegistry,
        clock: any WallClock, stateDirectory: String, version: String, logger: Logger
    ) {
        self.access = access
        kernel = KernelFacility.probe()
        owners = OwnerWatch(catalog: catalog, clock: clock, logger: logger) {
            metricStore.endTails($0)
            logStore.endTails($0)
        }
        let uses = RunUses()
        plugins = PluginService(catalog: catalog, installed: installed, linked: linked)
        purges = RunPurgeService(
            catalog: catalog, metrics: metricStore, logs: logStore, owners: owners, uses: uses,
            clock: clock, logger: logger)
        artifacts = ArtifactService(catalog: catalog, store: store, clock: clock)
        backups = BackupService(
            store: store, databases: databases.map { ("\($0.name).db", $0.backend) },
            stateDirectory: stateDirectory, clock: clock, logger: logger)
        experiments = ExperimentService(catalog: catalog)
        maintenance = MaintenanceService(databases: databases, logger: logger)
        ledger = LedgerService(catalog: catalog, metrics: metricStore)
        let inspection = ModelInspection(store: store, flavor: installed, logger: logger)
        imports = ImportService(catalog: catalog, store: store, inspection: inspection)
        index = MetricIndexService(catalog: catalog, metrics: metricStore, logger: logger)
        loggedModels = LoggedModelService(
            catalog: catalog, artifacts: artifacts, inspection: inspection, index: index)
        metrics = MetricService(
            catalog: catalog, store: metricStore, owners: owners, uses: uses)
        retention = RetentionService(
            catalog: catalog, metrics: metrics, index: index, clock: clock, logger: logger)
        upkeep = ArtifactUpkeepService(
            catalog: catalog, artifacts: artifacts, retention: retention,
            configuration: upkeepConfiguration, clock: clock, logger: logger)
        registry = RegistryService(
            catalog: catalog, artifacts: artifacts, inspection: inspection)
        remotes = RemoteService(
            catalog: catalog, store: store, configuration: remoteStores)
        runLogs = RunLogService(catalog: catalog, store: logStore, uses: uses)
        runs = RunService(
            catalog: catalog, metrics: metricStore, logs: logStore, owners: owners, index: index,
            uses: uses)
        status = StatusService(
            catalog: catalog, store: store, metrics: metricStore, logs: logStore, owners: owners,
            backups: backups, plugins: linked + [installed.builtinDescriptor].compactMap { $0 },
            kernel: kernel, telemetry: telemetry, clock: clock,
            stateDirectory: stateDirectory, version: version)
    }
}
