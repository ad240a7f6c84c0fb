import CLinux
import FoundationEssentials
import Glibc
import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajeHost
import LinajeMetrics
import LinajePluginKit
import LinajeServer
import LinajeServices
import LinajeTelemetry
import LinajeTransport
import Logging
import Metrics
import NIOPosix
import ServiceLifecycle

extension Linajed {
    /// The composition root: opens the stores, builds the services, runs until told to stop.
    ///
    /// - Parameters:
    ///   - configuration: what the settings were made of.
    ///   - source: where to read them again.
    func serve(
        _ settings: DaemonSettings, running configuration: DaemonConfiguration,
        from source: ConfigurationSource
    ) async throws {
        clinux_limit_heap()
        let startedAt = ContinuousClock.now
        let environment = source.environment
        let log = DaemonLog(level: settings.logLevel, environment: environment)
        LoggingSystem.bootstrap { DaemonLogHandler(log, label: $0) }
        let logger = Logger(label: "linajed")
        // Before anything that counts.
        let telemetry = TelemetryRegistry()
        MetricsSystem.bootstrap(telemetry)
        let notification = ServiceNotification(environment: environment)
        // Everything written below is the user's own.
        umask(0o077)
        signal(SIGPIPE, SIG_IGN)
        Self.raiseFileLimit()

        let inherited = try ListeningSocket.inherited(environment: environment)
        let state = try StateDirectory(settings.stateDirectory)
        try StoreCheck.requireKnown(state.path)
        let clock = SystemClock()
        let progress = StartProgress(notification, logger: logger)
        let stores = try await DaemonStores(
            state.path, settings: settings, environment: environment, clock: clock,
            progress: progress, logger: logger)
        try StateFormat.stamp(state.path, version: Self.version)
        // Bound only now: a start that the stores refuse leaves no socket file behind, and nobody
        // waits on a socket that will not be served.
        let listening =
            try inherited ?? Self.listeningSocket(settings, environment: environment)
        progress.end()

        let installed = InstalledPlugins(settings.flavors, logger: logger)
        let access = AccessControl(settings.access)
        let services = Services(
            access: access, catalog: stores.catalog, metrics: stores.metrics,
            runLogs: stores.runLogs, artifacts: stores.artifacts, upkeep: settings.upkeep,
            databases: stores.databases,
            remotes: .init(remotes: settings.artifacts.remotes) { address in
                guard address.scheme == .plugin else {
                    return try BuiltinStorage.open(address, environment: environment)
                }
                return BuiltinStorage.wrapped(try await installed.backend(address))
            },
            plugins: stores.descriptors, installed: installed,
            telemetry: telemetry, clock: clock, stateDirectory: state.path,
            version: Self.version, logger: logger)
        try await services.plugins.refresh()
        let missing = KernelFacility.ofOwners.filter { !services.kernel.contains($0) }
            .map(\.rawValue)
        if !missing.isEmpty {
            logger.notice(
                "this kernel is without \(missing.joined(separator: ", ")): less is known of how owners end"
            )
        }
        let endpoint = try Self.metricsEndpoint(
            settings, besides: listening, services: services, logger: logger)
        let connections = ConnectionCount()
        let listener = Self.listener(
            listening, services, connections, patience: settings.slowClientPatience, logger)
        let line = StatusLine(
            metrics: stores.metrics, connections: connections, queueBytes: settings.queueBytes)
        let reload = ConfigurationReload(
            source: source, running: configuration, access: access, log: log, line: line,
            notification: notification, logger: logger)

        let took = startedAt.duration(to: .now)
        let path = listening.path ?? settings.socket
        // They stop in reverse order: the door before what is behind it, the databases last.
        var running: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(
                service: ClosingService {
                    await installed.shutdown()
                    await stores.close()
                }),
            .init(service: stores.metrics),
            .init(service: services.index),
            .init(service: stores.runLogs),
            .init(service: services.owners),
            .init(service: services.purges),
            .init(
                service: ExpiryService(
                    catalog: stores.catalog, store: stores.artifacts, logger: logger)),
            .init(service: services.maintenance),
            .init(service: services.upkeep),
        ]
        running += endpoint.map { .init(service: $0) }
        running.append(
            .init(
                service: ListenerService(
                    listener: listener, notification: notification, logger: logger,
                    readyMessage: "serving on \(path), ready in \(Int(took / .milliseconds(1))) ms")
            ))
        if notification.isWanted {
            running.append(.init(service: StatusReport(line: line, notification: notification)))
        }
        if let timeout = Watchdog.timeout(environment: environment, pid: getpid()) {
            running.append(
                .init(
                    service: Watchdog(
                        socket: path, timeout: timeout, notification: notification, logger: logger))
            )
        }
        running.append(
            .init(
                service: SignalService(signals: .caught) { await reload.reload() },
                successTerminationBehavior: .gracefullyShutdownGroup))
        try await ServiceGroup(configuration: .init(services: running, logger: logger)).run()
        withExtendedLifetime(state) {}
    }

    private static func listener(
        _ socket: ListeningSocket, _ services: Services, _ connections: ConnectionCount,
        patience: Duration, _ logger: Logger
    ) -> UnixListener {
        let offenders = OffenderLog(logger: logger, patience: patience)
        let shared = DaemonSession.Shared(
            services: services, table: MethodTable(services, connections: connections),
            connections: connections, agent: "linajed/\(version)",
            instance: IdempotencyKey.random().array, logger: logger)
        return UnixListener(
            socket: socket, group: MultiThreadedEventLoopGroup.singleton, patience: patience,
            onCut: { offenders.record($0, $1) },
            makeSession: { DaemonSession($0, shared: shared) })
    }

    /// The endpoint for metrics, if there is one. A start that it makes fail leaves no socket file.
    private static func metricsEndpoint(
        _ settings: DaemonSettings, besides listening: ListeningSocket, services: Services,
        logger: Logger
    ) throws -> [MetricsEndpoint] {
        guard let socket = settings.telemetrySocket else { return [] }
        do {
            return [
                MetricsEndpoint(
                    socket: try ListeningSocket.bind(path: socket.path, mode: socket.mode),
                    group: MultiThreadedEventLoopGroup.singleton, services: services,
                    logger: logger)
            ]
        } catch {
            listening.removeFile()
            throw error
        }
    }

    private static func listeningSocket(
        _ settings: DaemonSettings, environment: [String: String]
    ) throws -> ListeningSocket {
        // The user's own folder is created private; any other folder must be there already.
        let own = SocketAddresses.userDirectory(environment: environment)
        if settings.socket.hasPrefix(own + "/") {
            mkdir(own, 0o700)
            try SocketAddresses.checkPrivate(own)
        }
        return try ListeningSocket.bind(path: settings.socket, mode: settings.socketMode)
    }

    /// Thousands of agents need as many descriptors: takes what the hard limit allows.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}

/// Where the daemon speaks to people.
enum StandardError {
    /// Writes a line.
    static func write(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
}
