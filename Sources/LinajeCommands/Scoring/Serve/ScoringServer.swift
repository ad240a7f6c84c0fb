import Glibc
import LinajeDomain
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers requests for predictions over HTTP/1.1.
///
/// Sizes, times and the number of connections are bounded; over TCP the Host header must name this
/// server, so that no page in a browser reaches it by a name of its own (DNS rebinding).
struct ScoringServer: Sendable {
    struct Configuration: Sendable {
        var host: String
        var port: Int
        /// A Unix socket, instead of host and port.
        var socket: String?
        /// Longest body of a request.
        var bodyBytes: Int
        /// Names that the Host header may have, besides addresses, "localhost" and `host`.
        var names: [String]

        /// Most connections at once.
        var connections = 1_024
        /// Most bytes of bodies and answers in memory at once, over all connections.
        var allBodyBytes: Int { max(256 << 20, 2 * bodyBytes) }
        /// How long a connection may keep silent between requests.
        var patience = TimeAmount.seconds(120)
        /// How fast a request must come from its first byte on, and an answer be taken.
        var pace = ScoringPace()
        /// How long requests under way may take at the end.
        var grace = Duration.seconds(30)

        /// Why it cannot be listened on.
        func refusal(_ error: any Error) -> LinajeError {
            let place = socket ?? "\(host):\(port)"
            guard let error = error as? IOError else {
                return LinajeError(.unavailable, "\(place) cannot be listened on: \(error)")
            }
            if error.errnoCode == EADDRINUSE, socket == nil {
                return LinajeError(
                    .unavailable,
                    "port \(port) of \(host) is in use, by another server perhaps; give another with "
                        + "--port, or --port 0 for one that is free")
            }
            let why = String(cString: strerror(error.errnoCode))
            return LinajeError(.unavailable, "\(place) cannot be listened on: \(why)")
        }
    }

    let engine: any ScoringEngine
    let configuration: Configuration

    /// Answers until the end is asked for, then lets what is under way be answered.
    ///
    /// - Parameters:
    ///   - stopped: Returns when the end is asked for.
    ///   - started: Gets the address.
    func run(
        until stopped: @Sendable () async -> Void, _ started: @Sendable (String) -> Void
    ) async throws {
        let state = ScoringServerState(configuration)
        let server = try await listen(state)
        started(try address(of: server))
        await stopped()
        try? await server.close()
        state.drain()
        let end = ContinuousClock.now + configuration.grace
        while !state.isIdle, .now < end { try? await Task.sleep(for: .milliseconds(10)) }
        state.closeAll()
        if let socket = configuration.socket { unlink(socket) }
    }

    private func listen(_ state: ScoringServerState) async throws -> any Channel {
        let (engine, configuration) = (engine, configuration)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { child in
                guard state.add(child) else { return child.close() }
                child.closeFuture.whenComplete { _ in state.remove(child) }
                return child.eventLoop.makeCompletedFuture {
                    let pipeline = child.pipeline.syncOperations
                    try pipeline.addHandler(
                        IdleStateHandler(allTimeout: configuration.patience))
                    try pipeline.addHandler(FirstBytesHandler())
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: true, withErrorHandling: true)
                    try pipeline.addHandler(
                        ScoringRequestHandler(
                            engine: engine, state: state, isTCP: configuration.socket == nil))
                }
            }
        do {
            guard let socket = configuration.socket else {
                return try await bootstrap.bind(host: configuration.host, port: configuration.port)
                    .get()
            }
            return try await bootstrap.bind(
                unixDomainSocketPath: socket, cleanupExistingSocketFile: true
            ).get()
        } catch {
            throw configuration.refusal(error)
        }
    }

    private func address(of server: any Channel) throws -> String {
        if let socket = configuration.socket { return "unix:\(socket)" }
        let host = configuration.host
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(server.localAddress?.port ?? 0)"
    }
}

/// What the connections of a server share.
final class ScoringServerState: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var bodyBytes = 0
        var underWay = 0
        var isDraining = false
    }

    let configuration: ScoringServer.Configuration
    private let state = Mutex(State())

    init(_ configuration: ScoringServer.Configuration) { self.configuration = configuration }

    /// False when there is no room for one more.
    func add(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard !state.isDraining, state.channels.count < configuration.connections else {
                return false
            }
            state.channels[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    func remove(_ channel: any Channel) {
        state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
    }

    /// Takes room for a part of a body, or an answer; false when there is none.
    func take(_ bytes: Int) -> Bool {
        state.withLock { state in
            guard state.bodyBytes + bytes <= configuration.allBodyBytes else { return false }
            state.bodyBytes += bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { state.withLock { $0.bodyBytes -= bytes } }

    func begin() { state.withLock { $0.underWay += 1 } }
    func end() { state.withLock { $0.underWay -= 1 } }

    var isIdle: Bool { state.withLock { $0.underWay == 0 } }
    var isDraining: Bool { state.withLock { $0.isDraining } }
    func drain() { state.withLock { $0.isDraining = true } }

    func closeAll() {
        for channel in state.withLock({ Array($0.channels.values) }) { channel.close(promise: nil) }
    }

    /// Whether a Host header names this server: by an address, which nobody can point elsewhere, or by a
    /// name that is known here.
    func isOurs(_ header: String?) -> Bool {
        guard var name = header.map({ Substring($0) }) else { return false }
        if name.hasPrefix("[") {
            name = name.dropFirst().prefix { $0 != "]" }
        } else {
            name = name.prefix { $0 != ":" }
        }
        let lower = name.lowercased()
        return lower == "localhost" || lower == configuration.host.lowercased()
            || Self.isAddress(lower) || configuration.names.contains { $0.lowercased() == lower }
    }

    private static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
    }
}
