import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeHost
import LinajeServices
import LinajeTransport
import Logging

/// What the daemon runs with: the configuration, the command line and the environment, checked.
struct DaemonSettings: Sendable {
    var stateDirectory: String
    var socket: String
    var socketMode: UInt32
    var logLevel: Logger.Level
    var access: AccessPolicy
    var artifacts: ArtifactSettings
    var queueBytes: Int
    /// Bytes of output that one run's log keeps.
    var logBytes: UInt64
    /// How the artifact store is looked after.
    var upkeep: ArtifactUpkeepService.Configuration
    var flavors: InstalledPlugins.Configuration
    /// What verdicts block where a model's own policy says nothing.
    var scanPolicy: ScanPolicy
    /// How long a client may keep its connection waiting.
    var slowClientPatience: Duration
    /// How long one search may keep the database busy.
    var searchTime: Duration
    /// The socket of the HTTP endpoint for metrics; `nil`: none.
    var telemetrySocket: (path: String, mode: UInt32)?

    /// - Throws: `invalidArgument` naming the key whose value is not allowed.
    init(
        _ configuration: DaemonConfiguration, stateDirectory: String?, socket: String?,
        logLevel: String?, environment: [String: String], program: String
    ) throws {
        // Said to clients, who are elsewhere.
        self.stateDirectory = Self.absolute(
            stateDirectory ?? configuration.daemon.state_directory
                ?? Self.defaultStateDirectory(environment))
        self.socket = try SocketAddresses.checked(
            Self.absolute(
                socket ?? configuration.daemon.socket ?? environment["LINAJE_SOCKET"]
                    ?? environment["RUNTIME_DIRECTORY"].map { $0 + "/linaje.sock" }
                    ?? SocketAddresses.user(environment: environment)))
        socketMode = try Self.mode(configuration.daemon.socket_mode, "daemon.socket_mode")
        let levelText = logLevel ?? configuration.daemon.log_level ?? "info"
        guard let level = Logger.Level(rawValue: levelText) else {
            throw LinajeError(
                .invalidArgument,
                "daemon.log_level \"\(levelText)\" is not known; use trace, debug, info, notice, "
                    + "warning, error or critical")
        }
        self.logLevel = level
        access = try AccessPolicy(
            users: Self.roles(configuration.access.users, "access.users"),
            groups: Self.roles(configuration.access.groups, "access.groups"))
        artifacts = try ArtifactSettings(configuration)
        queueBytes = configuration.metrics.queue_bytes ?? Limits.ingestQueueBytes
        guard (1 << 20...1 << 32).contains(queueBytes) else {
            throw LinajeError(
                .invalidArgument,
                "metrics.queue_bytes \(queueBytes) is out of bounds; use 1048576 to 4294967296")
        }
        logBytes = try Self.logBytes(configuration.runs)
        upkeep = try Self.upkeep(configuration.artifacts)
        flavors = try Self.flavors(configuration, environment: environment, program: program)
        scanPolicy = try Self.scanPolicy(configuration.registry)
        slowClientPatience = try Self.seconds(
            configuration.limits.slow_client_seconds, "limits.slow_client_seconds",
            else: Limits.slowClientPatience)
        searchTime = try Self.seconds(
            configuration.limits.search_seconds, "limits.search_seconds", else: Limits.searchTime)
        telemetrySocket = try Self.telemetry(configuration.telemetry, besides: self.socket)
    }

    private static func flavors(
        _ configuration: DaemonConfiguration, environment: [String: String], program: String
    ) throws -> InstalledPlugins.Configuration {
        let host = configuration.flavors.host ?? programBeside(program)
        let memory = configuration.plugins.memory_bytes ?? 1 << 30
        guard (128 << 20...1 << 40).contains(memory) else {
            throw LinajeError(
                .invalidArgument,
                "plugins.memory_bytes \(memory) is out of bounds; use 134217728 to 1099511627776")
        }
        let directories =
            configuration.plugins.directories ?? PluginDirectories.usual(environment)
        for directory in directories where !directory.hasPrefix("/") {
            throw LinajeError(
                .invalidArgument,
                "plugins.directories has \"\(directory)\"; write absolute paths")
        }
        return InstalledPlugins.Configuration(
            directories: directories, host: host.isEmpty ? nil : host,
            timeout: try seconds(
                configuration.flavors.timeout_seconds, "flavors.timeout_seconds",
                else: .seconds(30)),
            memory: UInt64(memory))
    }

    private static func scanPolicy(
        _ registry: DaemonConfiguration.Registry
    ) throws -> ScanPolicy {
        var policy = ScanPolicy.standard
        for (verdict, uses) in registry.scan_policy ?? [:] {
            guard let judged = JudgedAs(rawValue: verdict) else {
                throw LinajeError(
                    .invalidArgument,
                    "registry.scan_policy names verdict \"\(verdict.prefix(80))\"; use none, safe, "
                        + "unknown or dangerous")
            }
            policy[judged] = BlockedUses(
                Set(
                    try uses.map { word in
                        guard let use = ModelUse(rawValue: word) else {
                            throw LinajeError(
                                .invalidArgument,
                                "registry.scan_policy.\(verdict) has \"\(word.prefix(80))\"; use "
                                    + "promotion, registration or loading")
                        }
                        return use
                    }))
        }
        return policy
    }

    private static func logBytes(_ runs: DaemonConfiguration.Runs) throws -> UInt64 {
        guard let bytes = runs.log_bytes else { return Limits.logBytes }
        guard (0...1 << 40).contains(bytes) else {
            throw LinajeError(
                .invalidArgument,
                "runs.log_bytes \(bytes) is out of bounds; use 0 to 1099511627776")
        }
        return UInt64(bytes)
    }

    private static func upkeep(
        _ artifacts: DaemonConfiguration.Artifacts
    ) throws -> ArtifactUpkeepService.Configuration {
        let rate = artifacts.scrub_bytes_per_second ?? Limits.scrubRate
        guard (1 << 10...1 << 40).contains(rate) else {
            throw LinajeError(
                .invalidArgument,
                "artifacts.scrub_bytes_per_second \(rate) is out of bounds; use 1024 to "
                    + "1099511627776")
        }
        return ArtifactUpkeepService.Configuration(
            grace: try age(
                artifacts.gc_grace, "artifacts.gc_grace", else: Limits.collectionGrace),
            collectionInterval: try age(
                artifacts.gc_interval, "artifacts.gc_interval", else: Limits.collectionInterval),
            scrubInterval: try age(
                artifacts.scrub_interval, "artifacts.scrub_interval", else: Limits.scrubInterval),
            scrubRate: rate)
    }

    private static func age(
        _ text: String?, _ key: String, else standard: Duration
    ) throws -> Duration {
        guard let text else { return standard }
        guard let age = Duration(age: text) else {
            throw LinajeError(
                .invalidArgument,
                "\(key) \"\(text)\" is no age; write a number with a unit: 90m, 12h, 30d")
        }
        return age
    }

    private static func seconds(
        _ value: Int?, _ key: String, else standard: Duration
    ) throws -> Duration {
        guard let value else { return standard }
        guard (1...3_600).contains(value) else {
            throw LinajeError(
                .invalidArgument, "\(key) \(value) is out of bounds; use 1 to 3600")
        }
        return .seconds(value)
    }

    private static func telemetry(
        _ configuration: DaemonConfiguration.Telemetry, besides socket: String
    ) throws -> (path: String, mode: UInt32)? {
        let mode = try mode(configuration.http_socket_mode, "telemetry.http_socket_mode")
        guard let path = configuration.http_socket.map(absolute), !path.isEmpty else {
            return nil
        }
        guard path != socket else {
            throw LinajeError(
                .invalidArgument,
                "telemetry.http_socket is the daemon's own socket \(path); use another path")
        }
        return (try SocketAddresses.checked(path), mode)
    }

    private static func mode(_ text: String?, _ key: String) throws -> UInt32 {
        let text = text ?? "0660"
        guard let mode = UInt32(text, radix: 8), mode <= 0o777, mode & 0o600 == 0o600 else {
            throw LinajeError(
                .invalidArgument,
                "\(key) \"\(text)\" is no permission; use octal digits like \"0660\"")
        }
        return mode
    }

    /// A path from the root on: a relative one is below the folder that the daemon was started in.
    private static func absolute(_ path: String) -> String {
        guard !path.isEmpty, !path.hasPrefix("/") else { return path }
        let folder = FileManager.default.currentDirectoryPath
        var rest = path[...]
        while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
        return (folder.hasSuffix("/") ? folder : folder + "/") + rest
    }

    private static func defaultStateDirectory(_ environment: [String: String]) -> String {
        if let systemd = environment["STATE_DIRECTORY"], !systemd.isEmpty { return systemd }
        if let state = environment["XDG_STATE_HOME"], !state.isEmpty { return state + "/linaje" }
        return (environment["HOME"] ?? "/root") + "/.local/state/linaje"
    }

    private static func roles(
        _ table: [String: String]?, _ key: String
    ) throws -> [String: Role] {
        try (table ?? [:]).mapValues { text in
            guard let role = Role(rawValue: text) else {
                throw LinajeError(
                    .invalidArgument,
                    "\(key) names role \"\(text)\"; use reader, writer, approver or admin")
            }
            return role
        }
    }

    /// The flavor host beside this program or in the libexec folder of its installation; empty when
    /// neither is there. Never that of another installation, which may be of another version.
    private static func programBeside(_ program: String) -> String {
        var directory = program[...]
        while let last = directory.last, last != "/" { directory = directory.dropLast() }
        let candidates = [
            directory + "linaje-flavor-host", directory + "../libexec/linaje/linaje-flavor-host",
        ]
        return candidates.map(String.init).first { Glibc.access($0, X_OK) == 0 } ?? ""
    }
}
