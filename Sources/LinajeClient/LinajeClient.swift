import FoundationEssentials
import LinajeDomain
import LinajeTransport
import LinajeWire
import SwiftProtobuf

/// A client of the daemon: experiments, runs, metrics, artifacts, the registry, lineage.
///
/// It keeps one connection and makes it anew when it broke. Each change carries an idempotency key,
/// so calls that fail with a retryable error are tried again without doing the change twice. Unary
/// calls of one client are done one after the other in the order they were made; uploads, downloads
/// and metric streams run beside them. Every error that crosses this interface is a `LinajeError`
/// or, when the calling task was cancelled, a `CancellationError`.
public final class LinajeClient: Sendable {
    /// How the client behaves.
    public let configuration: ClientConfiguration
    /// What the daemon said when the client first connected.
    public let daemon: DaemonGreeting
    let connections: ConnectionStore

    private init(
        configuration: ClientConfiguration, daemon: DaemonGreeting, connections: ConnectionStore
    ) {
        self.configuration = configuration
        self.daemon = daemon
        self.connections = connections
    }

    /// Connects to the daemon.
    ///
    /// - Parameter socket: the daemon's socket; `nil` finds it by the table of PROTOCOL.md:
    ///   `LINAJE_SOCKET`, the user's socket if it is there, the system's.
    /// - Throws: `unavailable` with the detail `unreachable` when no daemon listens there, which is
    ///   not tried again; `permissionDenied` when it does not accept the caller. A daemon that hangs
    ///   up before it has said hello is being restarted: then it is tried again until
    ///   `configuration.patience` is over.
    public static func connect(
        to socket: String? = nil, configuration: ClientConfiguration = ClientConfiguration()
    ) async throws -> LinajeClient {
        let path = try SocketAddresses.find(
            explicit: socket, environment: ProcessInfo.processInfo.environment)
        let connections = ConnectionStore(socket: path, agent: configuration.agent)
        let connection = try await connections.first(patience: configuration.patience)
        return LinajeClient(
            configuration: configuration,
            daemon: DaemonGreeting(connection.hello, socket: path), connections: connections)
    }

    /// Ends the connection. Calls that are under way fail; a later call connects anew.
    public func close() async { await connections.close() }

    /// Makes a call; on retryable errors again, with the same idempotency key.
    func call<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request
    ) async throws -> Response {
        let key = method.isMutation ? IdempotencyKey.random() : nil
        return try await retrying {
            try await self.connections.connection().call(
                method, request, key: key, deadline: self.configuration.deadline)
        }
    }

    /// As `call` of a method that changes nothing, for the bytes of the answer.
    func answer<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request
    ) async throws -> [UInt8] {
        try await retrying {
            try await self.connections.connection().answer(
                method, request, deadline: self.configuration.deadline)
        }
    }

    /// Does something again while it fails with a retryable error: `configuration.attempts` times
    /// in all, and as long as the daemon is unavailable, which is what a restart looks like, until
    /// `configuration.patience` is over.
    ///
    /// The error of an ingest session that is over comes at once: asked again, it says the same.
    func retrying<Value>(_ body: () async throws -> Value) async throws -> Value {
        var backoff = Backoff()
        var attempt = 1
        var deadline: ContinuousClock.Instant?
        while true {
            do {
                return try await body()
            } catch let error as LinajeError {
                let end = deadline ?? .now + configuration.patience
                deadline = end
                guard
                    error.isRetryable, error.details["ingest_id"] == nil,
                    attempt < configuration.attempts
                        || error.code == .unavailable && ContinuousClock.now < end
                else { throw error }
            }
            attempt += 1
            try await backoff.wait()
        }
    }
}

/// What the daemon says to a client that connects.
public struct DaemonGreeting: Sendable, Hashable {
    /// The socket it was reached by.
    public var socket: String
    /// Its name and version: "linajed/0.1.0".
    public var agent: String
    /// 32 hex digits, new at each start.
    public var instance: String
    /// Who it takes the client for: "uid:1000".
    public var principal: String
    /// What the client may do: "reader", "writer", "approver" or "admin".
    public var role: String

    init(_ hello: Linaje_V1_ServerHello, socket: String) {
        self.socket = socket
        agent = hello.agent
        instance = Hex.encode(hello.instance)
        principal = hello.principal
        role = hello.role
    }
}
