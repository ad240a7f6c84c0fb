import FoundationEssentials
import Glibc
package import LinajeDomain
import LinajeHost
package import LinajeWire
import NIOCore
import NIOPosix
import SwiftProtobuf
import Synchronization

/// A connection to the daemon.
///
/// Unary calls are answered in the order they were made; streams run beside each other. When the
/// connection breaks everything on it fails with a retryable error, and it stays broken: whoever
/// owns it connects anew.
package final class ClientConnection: Sendable {
    /// What the daemon said of itself and of this client.
    package let hello: Linaje_V1_ServerHello
    let core: ConnectionCore

    private init(core: ConnectionCore, hello: Linaje_V1_ServerHello) {
        self.core = core
        self.hello = hello
    }

    deinit { core.fail(Self.closed) }

    /// One thread moves the bytes of all connections of a process.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private static let closed = LinajeError(.unavailable, "the connection was closed")

    /// Connects and says hello.
    ///
    /// - Parameters:
    ///   - path: the daemon's socket.
    ///   - agent: this program's name and version, for people.
    ///   - deadline: how long to wait for the daemon's hello.
    /// - Throws: `unavailable` with the detail `unreachable` when nobody listens, `permissionDenied`
    ///   when the socket may not be opened, `handshakeTimeout`, or what the daemon answers.
    package static func connect(
        to path: String, agent: String, deadline: Duration = Limits.handshakeTimeout
    ) async throws -> ClientConnection {
        let path = try SocketAddresses.checked(path)
        let core = ConnectionCore()
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(TimeAmount(deadline))
                .channelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(
                        minimum: 4_096, initial: 65_536, maximum: 1 << 20)
                )
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ClientFrameHandler(core))
                    }
                }
                .connect(unixDomainSocketPath: path).get()
        } catch {
            throw unreachable(path, error)
        }
        let hello = try await core.greet(channel, agent: agent, deadline: deadline)
        return ClientConnection(core: core, hello: hello)
    }

    /// Whether the connection is up and takes new requests.
    package var isOpen: Bool {
        core.locked { $0.failure == nil && $0.machine.isOpen }
    }

    /// Ends the connection; what is open on it fails.
    package func close() { core.fail(Self.closed) }

    /// Makes a unary call.
    ///
    /// - Parameters:
    ///   - key: names the change; needed for mutations.
    ///   - deadline: how long the answer may take, on both sides.
    /// - Throws: the daemon's error, `unavailable` when the connection breaks, `deadlineExceeded`.
    package func call<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request, key: IdempotencyKey? = nil,
        deadline: Duration? = nil
    ) async throws -> Response {
        try Response(
            payload: try await answer(method, request, key: key, deadline: deadline))
    }

    /// As `call`, for the bytes of the answer.
    package func answer<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request, key: IdempotencyKey? = nil,
        deadline: Duration? = nil
    ) async throws -> [UInt8] {
        let stream = try await open(method, request, key: key, deadline: deadline)
        let timer = deadline.flatMap { stream.failAfter($0, method: method.name) }
        defer { timer?.cancel() }
        return try await stream.answer()
    }

    /// Opens the stream of any method; the answer comes by `response`.
    package func open<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request, key: IdempotencyKey? = nil,
        deadline: Duration? = nil
    ) async throws -> ClientStream<Response> {
        var header = Linaje_V1_CallHeader()
        if let deadline {
            // Past 49 days a deadline is none.
            let milliseconds = max(1, deadline / .milliseconds(1))
            header.deadlineMs = UInt32(exactly: milliseconds.rounded(.down)) ?? 0
        }
        if let key { header.idempotencyKey = Data(key.array) }
        let payload = try CallPayload.encode(header: header, message: request)
        let hasData = method.kind == .clientStreaming || method.kind == .both
        let id = try await core.open(opcode: method.opcode, payload: payload, hasData: hasData)
        return ClientStream(connection: self, id: id)
    }

    /// Asks the daemon for a sign of life and waits for it.
    package func ping() async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            core.locked { state in
                if let failure = state.failure {
                    state.wakeups.append { continuation.resume(throwing: failure) }
                    return
                }
                var ping = Linaje_V1_Ping()
                ping.number = state.nextPing
                state.nextPing &+= 1
                guard let payload = try? ping.payload() else {
                    state.wakeups.append { continuation.resume() }
                    return
                }
                state.pings[ping.number] = continuation
                ConnectionCore.enqueue(.ping, payload: payload, &state, core)
            }
        }
    }

    private static func unreachable(_ path: String, _ error: any Error) -> LinajeError {
        let code = (error as? IOError)?.errnoCode
        switch code {
        case EACCES, EPERM:
            return LinajeError(
                .permissionDenied,
                "socket \(path) may not be opened by you; ask to be added to its group",
                details: ["socket": path])
        case EAGAIN:
            return LinajeError(
                .unavailable,
                "socket \(path) has as many clients waiting as it may: the daemon is busy or being "
                    + "restarted; try again",
                details: ["socket": path])
        default:
            let reason =
                switch code {
                case ENOENT: "there is no socket"
                case ECONNREFUSED: "nobody listens"
                case .some(let number): String(cString: strerror(number))
                case nil: "\(error)"
                }
            return LinajeError(
                .unavailable, "daemon is not reachable at \(path): \(reason)",
                details: ["socket": path, "unreachable": "true"])
        }
    }
}

extension ConnectionCore {
    /// Sends preface and hello and waits for the server's.
    fileprivate func greet(
        _ channel: any Channel, agent: String, deadline: Duration
    ) async throws -> Linaje_V1_ServerHello {
        var hello = Linaje_V1_ClientHello()
        hello.minorVersion = 0
        hello.agent = agent
        hello.pid = getpid()
        hello.processStart = ProcessIdentity.startOfThisProcess() ?? 0
        let payload = try hello.payload()
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(deadline)) {
            self.fail(
                LinajeError(
                    .handshakeTimeout, "the daemon did not say hello within \(deadline)"))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                locked { state in
                    if let failure = state.failure {
                        state.wakeups.append { continuation.resume(throwing: failure) }
                        return
                    }
                    state.channel = channel
                    state.greeting = .awaited(continuation)
                    state.outgoing.writeBytes(FrameHeader.preface)
                    Self.enqueue(.hello, payload: payload, &state, self)
                }
            }
        } onCancel: {
            fail(LinajeError(.cancelled, "connecting was cancelled"))
        }
    }
}

extension TimeAmount {
    /// A duration in whole nanoseconds; a century for one that is longer.
    init(_ duration: Duration) {
        let century = Duration.seconds(100 * 365 * 86_400)
        let bounded = min(max(duration, .zero), century)
        self = .nanoseconds(Int64(bounded / .nanoseconds(1)))
    }
}
