import FoundationEssentials
import LinajeDomain
import LinajeTransport
import Logging
import TOMLKit

/// What `linaje.toml` may say. Every key has a default; a key that is not listed here is refused,
/// so that a misspelt one is not silently without effect.
struct DaemonConfiguration: Codable, Sendable, Equatable {
    var daemon = Daemon()
    var access = Access()
    var artifacts = Artifacts()
    var s3 = S3()
    var metrics = Metrics()
    var runs = Runs()
    var flavors = Flavors()
    var plugins = Plugins()
    var registry = Registry()
    var limits = ConnectionLimits()
    var telemetry = Telemetry()

    struct Daemon: Codable, Sendable, Equatable {
        /// Where everything is kept. Default: `$STATE_DIRECTORY` (systemd), else
        /// `$XDG_STATE_HOME/linaje`, else `~/.local/state/linaje`.
        var state_directory: String?
        /// The socket. Default: `$RUNTIME_DIRECTORY/linaje.sock` (systemd), else the user's
        /// (PROTOCOL.md, "Finding the socket").
        var socket: String?
        /// Permission bits of the socket, in octal.
        var socket_mode: String?
        /// trace, debug, info, notice, warning, error or critical.
        var log_level: String?
    }

    /// Roles: reader, writer, approver, admin.
    struct Access: Codable, Sendable, Equatable {
        /// User name or number to role.
        var users: [String: String]?
        /// Group name or number to role.
        var groups: [String: String]?
    }

    struct Artifacts: Codable, Sendable, Equatable {
        /// Where packs are kept: "filesystem" (in the state directory) or "s3".
        var backend: String?
        /// Bytes of the local disk that keep what was read or written last of a store far away.
        var cache_bytes: Int?
        /// Name to address of stores that packs are pushed to and pulled from.
        var remotes: [String: String]?
        /// How long content that nothing needs stays and can be had back.
        var gc_grace: String?
        /// From one collection to the next; "0s": only by `linaje gc`.
        var gc_interval: String?
        /// From one reading of every stored byte to the next; "0s": never.
        var scrub_interval: String?
        /// Bytes that this reads a second, at most.
        var scrub_bytes_per_second: Int?
    }

    /// The bucket, when packs are kept in one.
    struct S3: Codable, Sendable, Equatable {
        var bucket: String?
        /// What the names of all objects begin with, ending with "/".
        var prefix: String?
        var region: String?
        /// "https://host" of a server that is not AWS.
        var endpoint: String?
        /// automatic, path or virtual-host.
        var addressing: String?
        /// A profile of `~/.aws`; default: the environment, the profile "default", the machine's role.
        var profile: String?
        /// Bytes of a part of an upload.
        var part_bytes: Int?
        /// Requests that run at the same time.
        var parallel_requests: Int?
        /// Whether writes ask not to replace anything.
        var conditional_writes: Bool?
        /// Whether objects are stored with their SHA-256.
        var checksums: Bool?
    }

    struct Metrics: Codable, Sendable, Equatable {
        /// Bytes of metric batches that may wait for their commit.
        var queue_bytes: Int?
    }

    struct Runs: Codable, Sendable, Equatable {
        /// Bytes of a command's output that its run's log keeps; what comes after is only counted.
        var log_bytes: Int?
    }

    /// Ages are numbers with a unit: "90m", "12h", "30d", "8w".
    struct Flavors: Codable, Sendable, Equatable {
        /// The program that examines models; empty: models are not examined. Default:
        /// `linaje-flavor-host` beside `linajed`.
        var host: String?
        /// Seconds that examining one model may take.
        var timeout_seconds: Int?
    }

    struct Plugins: Codable, Sendable, Equatable {
        /// Where plugins are looked for, each in a folder of its own.
        var directories: [String]?
        /// Address space of one plugin process in bytes.
        var memory_bytes: Int?
    }

    struct Registry: Codable, Sendable, Equatable {
        /// Verdict ("none", "safe", "unknown", "dangerous") to what it blocks ("promotion",
        /// "registration", "loading"), where a model's own policy says nothing.
        var scan_policy: [String: [String]]?
    }

    struct ConnectionLimits: Codable, Sendable, Equatable {
        /// Seconds that a client may keep its connection waiting (PROTOCOL.md, "Slow clients").
        var slow_client_seconds: Int?
        /// Seconds that one search may keep the database busy.
        var search_seconds: Int?
    }

    struct Telemetry: Codable, Sendable, Equatable {
        /// A Unix socket that answers `GET /metrics` over HTTP. Default: none.
        var http_socket: String?
        /// Its permission bits, in octal.
        var http_socket_mode: String?
    }

    private enum CodingKeys: String, CodingKey {
        case daemon, access, artifacts, s3, metrics, runs, flavors, plugins, registry, limits
        case telemetry
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        daemon = try values.decodeIfPresent(Daemon.self, forKey: .daemon) ?? Daemon()
        access = try values.decodeIfPresent(Access.self, forKey: .access) ?? Access()
        artifacts = try values.decodeIfPresent(Artifacts.self, forKey: .artifacts) ?? Artifacts()
        s3 = try values.decodeIfPresent(S3.self, forKey: .s3) ?? S3()
        metrics = try values.decodeIfPresent(Metrics.self, forKey: .metrics) ?? Metrics()
        runs = try values.decodeIfPresent(Runs.self, forKey: .runs) ?? Runs()
        flavors = try values.decodeIfPresent(Flavors.self, forKey: .flavors) ?? Flavors()
        plugins = try values.decodeIfPresent(Plugins.self, forKey: .plugins) ?? Plugins()
        registry = try values.decodeIfPresent(Registry.self, forKey: .registry) ?? Registry()
        limits =
            try values.decodeIfPresent(ConnectionLimits.self, forKey: .limits) ?? ConnectionLimits()
        telemetry = try values.decodeIfPresent(Telemetry.self, forKey: .telemetry) ?? Telemetry()
    }

    /// Reads a configuration.
    ///
    /// - Throws: `invalidArgument` naming the file and the place in it.
    init(toml text: String, path: String) throws {
        do {
            let table = try TOMLTable(string: text)
            let problems = ConfigurationCheck().problems(in: table)
            guard problems.isEmpty else {
                throw LinajeError(
                    .invalidArgument, "\(path): \(problems.joined(separator: "; "))")
            }
            self = try TOMLDecoder(strictDecoding: true).decode(Self.self, from: table)
        } catch let error as UnexpectedKeysError {
            let names = error.keys.keys.sorted().joined(separator: ", ")
            throw LinajeError(
                .invalidArgument, "\(path) has keys that do not exist: \(names); remove them")
        } catch let error as TOMLParseError {
            throw LinajeError(
                .invalidArgument,
                "\(path) is no TOML: \(error.description) (line \(error.source.begin.line), column "
                    + "\(error.source.begin.column))")
        } catch let error as DecodingError {
            throw LinajeError(.invalidArgument, "\(path): \(Self.explain(error))")
        }
    }

    /// Reads the file at `path`, or the first of the usual places that exists; the defaults when
    /// there is none.
    static func load(_ path: String?, environment: [String: String]) throws -> DaemonConfiguration {
        guard let path = path ?? usualPaths(environment).first(where: isReadable) else {
            return DaemonConfiguration()
        }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw LinajeError(
                .notFound, "configuration \(path) cannot be read; check that it exists and is UTF-8"
            )
        }
        return try DaemonConfiguration(toml: text, path: path)
    }

    private static func usualPaths(_ environment: [String: String]) -> [String] {
        let home = environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { $0 + "/.config" }
        return [home.map { $0 + "/linaje/linaje.toml" }, "/etc/linaje/linaje.toml"].compactMap {
            $0
        }
    }

    private static func isReadable(_ path: String) -> Bool {
        FileManager.default.isReadableFile(atPath: path)
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) must be a \(type)"
        case .keyNotFound(let key, _): "\(key.stringValue) is missing"
        case .dataCorrupted(let context): context.debugDescription
        @unknown default: "\(error)"
        }
    }
}
