import DequeModule
import LinajeDomain
package import LinajeServices
package import LinajeTransport
package import LinajeWire
package import Logging
import NIOCore
import SwiftProtobuf
import Synchronization

/// One connection of the daemon: who it is, which calls are under way.
///
/// Unary calls run one after the other in the order of their requests, in a task that ends when none
/// waits; streaming calls run beside them in tasks of their own. Metric data never leaves the event
/// loop before the ingest queue.
package final class DaemonSession: ServerSession {
    /// What sessions of one daemon share.
    package struct Shared: Sendable {
        package let services: Services
        package let table: MethodTable
        package let connections: ConnectionCount
        package let agent: String
        /// 16 random bytes, new at each start.
        package let instance: [UInt8]
        package let logger: Logger

        package init(
            services: Services, table: MethodTable, connections: ConnectionCount, agent: String,
            instance: [UInt8], logger: Logger
        ) {
            self.services = services
            self.table = table
            self.connections = connections
            self.agent = agent
            self.instance = instance
            self.logger = logger
        }
    }

    private struct Call: Sendable {
        enum Body: Sendable {
            case unary(@Sendable () async throws -> [UInt8])
            case stream(@Sendable () async throws -> Void)
        }

        let stream: UInt32
        let opcode: UInt16
        /// Bytes of the request, which stay charged to the connection while the call waits.
        let bytes: Int
        /// Whether somebody still wants the answer.
        let interest: Interest
        let body: Body
    }

    /// Whether a call that waits is still wanted; one that is not is never begun.
    private final class Interest: Sendable {
        private let lost = Atomic<Bool>(false)
        var isLost: Bool { lost.load(ordering: .relaxed) }
        func lose() { lost.store(true, ordering: .relaxed) }
    }

    /// Calls that have not begun, and whether somebody begins them.
    private struct CallQueue {
        private var waiting: Deque<Call> = []
        private var isRunning = false

        /// Says whether nobody begins calls yet: then the caller must.
        mutating func add(_ call: Call) -> Bool {
            waiting.append(call)
            defer { isRunning = true }
            return !isRunning
        }

        /// `nil`: none waits, and nobody begins calls any more.
        mutating func next() -> Call? {
            isRunning = !waiting.isEmpty
            return waiting.popFirst()
        }
    }

    private struct OpenStream {
        enum Kind {
            case unary
            case streaming(
                AsyncStream<CallStream.Inbound>.Continuation, left: AsyncStream<Never>.Continuation)
            case metrics(MetricInlet)
        }

        let kind: Kind
        let opcode: UInt16
        let interest: Interest
        let metrics: CallMetrics
        let began = ContinuousClock.now
        var deadline: Scheduled<Void>?
    }

    /// What only the event loop touches.
    private struct State {
        var principal: Principal?
        /// Which access policy has made the principal.
        var accessGeneration: UInt64 = 0
        /// When the client's process started, as its hello says; 0: it does not say.
        var processStart: UInt64 = 0
        var streams: [UInt32: OpenStream] = [:]
    }

    private let shared: Shared
    private let connection: ServerConnection
    private let state: NIOLoopBoundBox<State>
    private let calls = Mutex(CallQueue())

    /// Called on the connection's event loop.
    package init(_ connection: ServerConnection, shared: Shared) {
        self.connection = connection
        self.shared = shared
        state = NIOLoopBoundBox(State(), eventLoop: connection.eventLoop)
        shared.connections.opened()
    }

    /// Begins the calls that wait, one after the other.
    private func runCalls() async {
        while let call = calls.withLock({ $0.next() }) {
            let isThere = await connection.room()
            connection.releaseRequest(call.bytes)
            guard isThere, !call.interest.isLost else { continue }
            switch call.body {
            case .unary(let body):
                await answer(stream: call.stream, opcode: call.opcode, body)
            case .stream(let body):
                connection.perform { await self.perform(stream: call.stream, body) }
            }
        }
    }

    // MARK: Frames, on the event loop

    package func greet(_ hello: Linaje_V1_ClientHello) throws -> Linaje_V1_ServerHello {
        let peer = connection.peer
        state.value.accessGeneration = shared.services.access.generation
        let principal = try shared.services.access.principal(
            uid: peer.uid, gid: peer.gid, groups: peer.groups)
        state.value.principal = principal
        state.value.processStart = hello.processStart
        var answer = Linaje_V1_ServerHello()
        answer.minorVersion = min(hello.minorVersion, Self.minorVersion)
        answer.agent = shared.agent
        answer.instance = .init(shared.instance)
        answer.connectionCredit = UInt32(Limits.firstConnectionCredit)
        answer.streamCredit = UInt32(Limits.streamCredit)
        answer.principal = principal.name
        answer.role = principal.role.rawValue
        answer.limits.frameBytes = UInt32(Limits.frameBytes)
        answer.limits.requestBytes = UInt32(Limits.requestBytes)
        answer.limits.concurrentStreams = UInt32(Limits.concurrentStreams)
        answer.limits.batchPoints = UInt32(Limits.batchPoints)
        answer.limits.keyBytes = UInt32(Limits.keyBytes)
        answer.limits.pathBytes = UInt32(Limits.pathBytes)
        return answer
    }

    package func open(stream: UInt32, opcode: UInt16, payload: [UInt8], hasData: Bool) {
        let entry = shared.table.entries[opcode]
        do {
            let principal = try currentPrincipal()
            guard let entry, let role = entry.role else {
                throw LinajeError(
                    .unknownMethod,
                    "opcode \(opcode) is not known here; this daemon is \(shared.agent)")
            }
            try principal.require(role, for: entry.name)
            let call = try CallPayload(parsing: payload)
            let context = try CallContext(
                principal: principal, connection: connection,
                processStart: state.value.processStart, call: call, opcode: opcode,
                needsKey: entry.needsKey)
            let waiting = try prepare(entry, call, context, stream, opcode, hasData: hasData)
            state.value.streams[stream] = waiting.open
            limit(stream, to: call.header.deadlineMs)
            let isFirst = calls.withLock { calls in
                calls.add(
                    Call(
                        stream: stream, opcode: opcode, bytes: payload.count,
                        interest: waiting.open.interest, body: waiting.body))
            }
            if isFirst { connection.perform { await self.runCalls() } }
        } catch {
            connection.releaseRequest(payload.count)
            let error = boundaryError(error)
            (entry?.metrics ?? CallMetrics.unknown).refused(error.code)
            connection.fail(stream: stream, error)
        }
    }

    /// Who calls, under the access policy that is in force now.
    private func currentPrincipal() throws -> Principal {
        guard let principal = state.value.principal else {
            throw LinajeError(.unauthenticated, "the connection has not said hello")
        }
        let access = shared.services.access
        let generation = access.generation
        guard generation != state.value.accessGeneration else { return principal }
        let peer = connection.peer
        let current = try access.principal(uid: peer.uid, gid: peer.gid, groups: peer.groups)
        state.value.accessGeneration = generation
        state.value.principal = current
        return current
    }

    package func data(stream: UInt32, payload: [UInt8]) {
        switch state.value.streams[stream]?.kind {
        case .streaming(let continuation, _): continuation.yield(.data(payload))
        case .metrics(let inlet):
            do {
                try inlet.take(payload)
            } catch {
                fail(stream, error)
            }
        case .unary, nil: connection.release(payload.count, stream: stream)
        }
    }

    package func finished(stream: UInt32) {
        switch state.value.streams[stream]?.kind {
        case .streaming(let continuation, _):
            continuation.yield(.end)
            continuation.finish()
        case .metrics(let inlet): inlet.finish()
        case .unary, nil: break
        }
    }

    package func cancelled(stream: UInt32) { forget(stream, .cancelled) }

    /// Streams that never end by themselves must not hold the end up: tails and logs end at once; metric
    /// streams, which go on elsewhere without loss, get a moment to end in order.
    package func draining() {
        for (stream, open) in state.value.streams {
            if Self.endless.contains(open.opcode) { fail(stream, Self.leaving) }
        }
        connection.eventLoop.assumeIsolated().scheduleTask(in: Self.metricGrace) { [weak self] in
            guard let self else { return }
            for (stream, open) in self.state.value.streams {
                if case .metrics = open.kind { self.fail(stream, Self.leaving) }
            }
        }
    }

    package func closed() {
        shared.connections.closed()
        for stream in state.value.streams.keys { forget(stream, .cancelled) }
    }

    // MARK: Calls

    /// What a call keeps open, and what it will do.
    private func prepare(
        _ entry: MethodTable.Entry, _ call: CallPayload, _ context: CallContext,
        _ stream: UInt32, _ opcode: UInt16, hasData: Bool
    ) throws -> (open: OpenStream, body: Call.Body) {
        let interest = Interest()
        switch entry.body {
        case .unary(let body):
            guard !hasData else {
                throw LinajeError(
                    .badMessage, "\(entry.name) takes no data; set END on its request")
            }
            return (
                OpenStream(
                    kind: .unary, opcode: opcode, interest: interest, metrics: entry.metrics),
                .unary { try await body(call.message, context) }
            )
        case .stream(let body):
            let (inbound, continuation) = AsyncStream<CallStream.Inbound>.makeStream()
            if !hasData { continuation.finish() }
            let (leaving, left) = AsyncStream<Never>.makeStream()
            let callStream = CallStream(
                id: stream, opcode: opcode, connection: connection, inbound: inbound,
                left: leaving)
            return (
                OpenStream(
                    kind: .streaming(continuation, left: left), opcode: opcode, interest: interest,
                    metrics: entry.metrics),
                .stream { try await body(call.message, context, callStream) }
            )
        case .metrics(let parse):
            let inlet = MetricInlet(
                connection: connection, stream: stream, opcode: opcode, hasData: hasData
            ) { [weak self] failure in self?.forget(stream, failure) }
            let opener = try inlet.opener(try parse(call.message), shared.services.metrics)
            return (
                OpenStream(
                    kind: .metrics(inlet), opcode: opcode, interest: interest,
                    metrics: entry.metrics),
                .stream(opener)
            )
        }
    }

    private func answer(
        stream: UInt32, opcode: UInt16, _ body: @Sendable () async throws -> [UInt8]
    ) async {
        do {
            let payload = try await body()
            connection.respond(stream: stream, opcode: opcode, payload: payload, end: true)
            onLoop { $0.forget(stream, nil) }
        } catch {
            let error = boundaryError(error)
            onLoop { $0.fail(stream, error) }
        }
    }

    private func perform(stream: UInt32, _ body: @Sendable () async throws -> Void) async {
        do {
            try await body()
            onLoop {
                // A metric stream goes on after it has been opened.
                guard case .streaming = $0.state.value.streams[stream]?.kind else { return }
                $0.forget(stream, nil)
            }
        } catch {
            let error = boundaryError(error)
            onLoop { $0.fail(stream, error) }
        }
    }

    /// Ends the call with an error once its deadline has passed. What it does goes on: whoever asks
    /// again with the same idempotency key learns how it ended.
    private func limit(_ stream: UInt32, to milliseconds: UInt32) {
        guard milliseconds > 0 else { return }
        let timer = connection.eventLoop.assumeIsolated().scheduleTask(
            in: .milliseconds(Int64(milliseconds))
        ) { [weak self] in
            guard let self, self.state.value.streams[stream] != nil else { return }
            self.fail(
                stream,
                LinajeError(
                    .deadlineExceeded, "call took longer than its deadline of \(milliseconds) ms"))
        }
        state.value.streams[stream]?.deadline = timer
    }

    /// Ends the stream with an error; on the event loop.
    private func fail(_ stream: UInt32, _ error: any Error) {
        let error = boundaryError(error)
        forget(stream, error.code)
        connection.fail(stream: stream, error)
    }

    /// The stream is over, by an error or well; on the event loop.
    private func forget(_ stream: UInt32, _ failure: LinajeError.Code?) {
        guard let open = state.value.streams.removeValue(forKey: stream) else { return }
        open.metrics.ended(since: open.began, failure)
        open.interest.lose()
        open.deadline?.cancel()
        switch open.kind {
        case .streaming(let continuation, let left):
            continuation.finish()
            left.finish()
        case .metrics(let inlet): inlet.close()
        case .unary: break
        }
    }

    private func onLoop(_ body: @Sendable @escaping (DaemonSession) -> Void) {
        connection.eventLoop.execute { body(self) }
    }

    /// What the client may know of an error. Anything that is no `LinajeError` is a fault of the
    /// daemon: the log has it, the client learns that there was one.
    private func boundaryError(_ error: any Error) -> LinajeError {
        if let error = error as? LinajeError { return error }
        shared.logger.error("unexpected error: \(error)")
        return LinajeError(.internalError, "the daemon has a fault; its log says more")
    }

    private static let minorVersion: UInt32 = 0
    /// Methods whose streams may go on for as long as a run does.
    private static let endless = [Methods.tailMetrics.opcode, Methods.readRunLog.opcode]
    private static let metricGrace = TimeAmount.seconds(2)
    private static let leaving = LinajeError(
        .unavailable, "the daemon is shutting down; connect again")
}
