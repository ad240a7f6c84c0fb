import CLinux
import FoundationEssentials
import Glibc
import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeServer
import LinajeServices
import LinajeTransport
import Logging
import NIOPosix
import ServiceLifecycle
import UnixSignals

extension Linajed {
    /// The composition root: opens the stores, builds the services, runs until told to stop.
    func serve(_ settings: DaemonSettings, environment: [String: String]) async throws {
        clinux_limit_heap()
        let startedAt = ContinuousClock.now
        let logger = Self.logger(settings.logLevel)
        let notification = ServiceNotification(environment: environment)
        // Everything written below is the user's own.
        umask(0o077)
        signal(SIGPIPE, SIG_IGN)
        Self.raiseFileLimit()

        let state = try StateDirectory(settings.stateDirectory)
        let clock = SystemClock()
        let catalogBackend = try BuiltinStorage.catalog(stateDirectory: state.path)
        let metricsBackend = try BuiltinStorage.metrics(stateDirectory: state.path)
        let artifactBackend = BuiltinStorage.artifacts(stateDirectory: state.path)

        let catalog = CatalogStore(backend: catalogBackend, clock: clock)
        let metrics = MetricStore(
            backend: metricsBackend, clock: clock, logger: logger,
            queueBytes: settings.queueBytes)
        let artifacts = ArtifactStore(
            backend: artifactBackend, index: catalogBackend, clock: clock, logger: logger)
        try await catalog.prepare()
        try await metrics.prepare()
        try await artifacts.prepare()
        // Bound only now: a start that the stores refuse leaves no socket file behind, and nobody
        // waits on a socket that will not be served.
        let listening = try Self.listeningSocket(settings, environment: environment)

        let flavor = settings.flavorHost.map {
            FlavorProcess(
                executable: $0,
                configuration: FlavorProcessConfiguration(deadline: settings.flavorTimeout))
        }
        let descriptors =
            [artifactBackend.descriptor, catalogBackend.descriptor]
            + [flavor?.descriptor].compactMap { $0 }
        let services = Services(
            access: settings.access, catalog: catalog, metrics: metrics, artifacts: artifacts,
            plugins: descriptors, flavor: flavor, clock: clock, stateDirectory: state.path,
            version: Self.version, logger: logger)
        let listener = Self.listener(
            listening, services: services, patience: settings.slowClientPatience, logger: logger)

        let took = startedAt.duration(to: .now)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: ClosingService {
                            await flavor?.shutdown()
                            try? await metricsBackend.close()
                            try? await catalogBackend.close()
                        }),
                    .init(service: metrics),
                    .init(service: services.owners),
                    .init(
                        service: ExpiryService(catalog: catalog, store: artifacts, logger: logger)),
                    .init(
                        service: ListenerService(
                            listener: listener, notification: notification, logger: logger,
                            readyMessage: "serving on \(settings.socket), ready in "
                                + "\(Int(took / .milliseconds(1))) ms")),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        withExtendedLifetime(state) {}
    }

    private static func listener(
        _ socket: ListeningSocket, services: Services, patience: Duration, logger: Logger
    ) -> UnixListener {
        let offenders = OffenderLog(logger: logger, patience: patience)
        let connections = ConnectionCount()
        let shared = DaemonSession.Shared(
            services: services, table: MethodTable(services, connections: connections),
            connections: connections, agent: "linajed/\(version)",
            instance: IdempotencyKey.random().array, logger: logger)
        return UnixListener(
            socket: socket, group: MultiThreadedEventLoopGroup.singleton, patience: patience,
            onCut: { offenders.record($0, $1) },
            makeSession: { DaemonSession($0, shared: shared) })
    }

    private static func listeningSocket(
        _ settings: DaemonSettings, environment: [String: String]
    ) throws -> ListeningSocket {
        if let inherited = try ListeningSocket.inherited(environment: environment) {
            return inherited
        }
        // The user's own folder is created private; any other folder must be there already.
        let own = SocketAddresses.userDirectory(environment: environment)
        if settings.socket.hasPrefix(own + "/") {
            mkdir(own, 0o700)
            try SocketAddresses.checkPrivate(own)
        }
        return try ListeningSocket.bind(path: settings.socket, mode: settings.socketMode)
    }

    private static func logger(_ level: Logger.Level) -> Logger {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "linajed")
        logger.logLevel = level
        return logger
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

/// The machine's clock.
struct SystemClock: WallClock {
    func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
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
