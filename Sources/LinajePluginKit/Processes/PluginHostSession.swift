import FoundationEssentials
import LinajeDomain
import LinajeWire
import SwiftProtobuf

/// One connection of a plugin's process, seen from the process: the daemon is the client, and while a
/// model is described this side asks back for its bytes on even streams.
///
/// One loop reads and one works, so an answer to a question of ours is read while the question is
/// being waited for. Requests are done one after the other.
actor PluginHostSession {
    private struct Call: Sendable {
        var stream: UInt32
        var opcode: UInt16
        var payload: [UInt8]
    }

    /// A request of ours that waits for its answer.
    private struct Question {
        /// The daemon's stream for whose sake it was asked.
        var owner: UInt32
        var opcode: UInt16
        var continuation: CheckedContinuation<[UInt8], any Error>
    }

    private let channel: FrameChannel
    private let plugin: any HostedPlugin
    private var machine = ServerConnectionStateMachine()
    private var questions: [UInt32: Question] = [:]
    /// Questions whose asker is gone; their answers are still on the way.
    private var abandoned: Set<UInt32> = []
    private var nextStream: UInt32 = 2
    /// Streams of the daemon that it has cancelled and that are still being worked on.
    private var cancelled: Set<UInt32> = []
    private var isOver = false

    init(channel: FrameChannel, plugin: any HostedPlugin) {
        self.channel = channel
        self.plugin = plugin
    }

    /// Serves the connection until the peer hangs up.
    ///
    /// - Throws: when the peer broke the protocol; it has been told by then.
    func run() async throws {
        do {
            try await readPreface()
            let (calls, queue) = AsyncStream<Call>.makeStream(
                bufferingPolicy: .bufferingOldest(Limits.concurrentStreams))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await call in calls { try await self.perform(call) }
                }
                do {
                    try await self.read(into: queue)
                } catch {
                    self.finish()
                    queue.finish()
                    throw error
                }
                self.finish()
                queue.finish()
                try await group.waitForAll()
            }
        } catch let error as LinajeError {
            let failure = Linaje_V1_Failure(error)
            try? await channel.send(Frame(.error, payload: failure.payload()))
            throw error
        }
    }

    /// Asks the daemon something for the sake of its request on stream `owner`.
    func ask<Request, Response>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request, for owner: UInt32
    ) async throws -> Response {
        guard !cancelled.contains(owner) else { throw Self.cancelledError }
        guard !isOver, nextStream < UInt32.max - 1 else { throw Self.goneError }
        let stream = nextStream
        nextStream += 2
        let payload = try CallPayload.encode(header: Linaje_V1_CallHeader(), message: request)
        let frame = Frame(
            .request, stream: stream, flags: FrameHeader.endFlag, opcode: method.opcode,
            payload: payload)
        let answer = try await withCheckedThrowingContinuation { continuation in
            questions[stream] = Question(
                owner: owner, opcode: method.opcode, continuation: continuation)
            channel.post(frame)
        }
        return try Response(payload: answer)
    }

    // MARK: Reading

    private func readPreface() async throws {
        guard let preface = try await channel.read(exactly: FrameHeader.preface.count) else {
            return
        }
        guard preface.dropLast() == FrameHeader.preface.dropLast() else {
            throw LinajeError(
                .badPreface,
                "input does not begin with the preface of the protocol; this program is a plugin "
                    + "that linajed starts")
        }
        guard preface == FrameHeader.preface else {
            throw LinajeError(
                .versionUnsupported,
                "major version \(preface.last ?? 0) is not spoken here; update the older side")
        }
    }

    private func read(into queue: AsyncStream<Call>.Continuation) async throws {
        while let header = try await channel.receiveHeader() {
            if header.stream != 0, header.stream.isMultiple(of: 2) {
                try await receiveAnswer(header)
                continue
            }
            try machine.admit(header)
            let payload = try await channel.receivePayload(of: header)
            switch try machine.receive(header, payload: payload) {
            case .greet(let hello): try greet(hello.bytes)
            case .open(let stream, let opcode, let payload, let hasData):
                guard !hasData else {
                    throw LinajeError(.badFrame, "methods of a plugin take no data frames")
                }
                let call = Call(stream: stream, opcode: opcode, payload: payload)
                if case .dropped = queue.yield(call) {
                    close(stream, with: Self.overloaded, returning: payload.count)
                }
            case .cancelled(let stream): cancel(stream)
            case .pong(let payload): channel.post(Frame(.pong, payload: payload))
            case .refuse(let stream, let error, let bytes):
                refuse(stream, error)
                grant(bytes)
            case .data, .finished, .credit, .drop, .ignore: break
            }
        }
    }

    private func greet(_ bytes: [UInt8]) throws {
        _ = try Linaje_V1_ClientHello(payload: bytes)
        var limits = Linaje_V1_Limits()
        limits.frameBytes = UInt32(Limits.frameBytes)
        limits.requestBytes = UInt32(Limits.requestBytes)
        limits.concurrentStreams = UInt32(Limits.concurrentStreams)
        limits.batchPoints = UInt32(Limits.batchPoints)
        limits.keyBytes = UInt32(Limits.keyBytes)
        limits.pathBytes = UInt32(Limits.pathBytes)
        var hello = Linaje_V1_ServerHello()
        hello.minorVersion = 0
        hello.agent = "\(plugin.descriptor.name)/\(plugin.descriptor.version)"
        hello.instance = Data(IdempotencyKey.random().array)
        hello.limits = limits
        hello.connectionCredit = UInt32(Limits.firstConnectionCredit)
        hello.streamCredit = UInt32(Limits.streamCredit)
        channel.post(Frame(.hello, payload: try hello.payload()))
        // The peer started this process: it is accepted already.
        grant(Limits.connectionCredit - Limits.firstConnectionCredit)
    }

    private func receiveAnswer(_ header: FrameHeader) async throws {
        if abandoned.remove(header.stream) != nil {
            _ = try await channel.receivePayload(of: header)
            return
        }
        guard let question = questions.removeValue(forKey: header.stream) else {
            throw LinajeError(
                .badStream,
                "a \(header.type) frame came for stream \(header.stream), where nothing was asked")
        }
        let payload: [UInt8]
        do {
            payload = try await channel.receivePayload(of: header)
        } catch {
            question.continuation.resume(throwing: error)
            throw error
        }
        switch header.type {
        case .response where header.isEnd && header.opcode == question.opcode:
            question.continuation.resume(returning: payload)
        case .error:
            let failure = (try? Linaje_V1_Failure(payload: payload)) ?? Linaje_V1_Failure()
            question.continuation.resume(throwing: LinajeError(failure))
        default:
            let error = LinajeError(
                .badFrame,
                "a \(header.type) frame with opcode \(header.opcode) does not answer the request "
                    + "on stream \(header.stream)")
            question.continuation.resume(throwing: error)
            throw error
        }
    }

    // MARK: Working

    private func perform(_ call: Call) async throws {
        do {
            let message = try await answer(call)
            send(message, to: call)
        } catch {
            let failure =
                error as? LinajeError
                ?? LinajeError(
                    error is CancellationError ? .cancelled : .internalError,
                    "\(plugin.descriptor.name): \(error)")
            close(call.stream, with: failure, returning: call.payload.count)
        }
    }

    private func answer(_ call: Call) async throws -> [UInt8] {
        guard !cancelled.contains(call.stream) else { throw Self.cancelledError }
        let message = try CallPayload(parsing: call.payload).message
        guard call.opcode == Methods.describePlugin.opcode else {
            return try await plugin.answer(
                HostedCall(
                    opcode: call.opcode, message: Array(message), session: self, stream: call.stream
                ))
        }
        _ = try Linaje_V1_DescribePluginRequest(payload: message)
        var descriptor = Linaje_V1_PluginDescriptor()
        descriptor.name = plugin.descriptor.name
        descriptor.kind = plugin.descriptor.kind.rawValue
        descriptor.version = plugin.descriptor.version
        descriptor.minorVersion = 0
        descriptor.flavors = plugin.flavors
        return try descriptor.payload()
    }

    private func send(_ message: [UInt8], to call: Call) {
        guard message.count <= Limits.frameBytes else {
            let error = LinajeError(
                .limitExceeded, "answer of \(message.count) bytes does not fit into a frame")
            return close(call.stream, with: error, returning: call.payload.count)
        }
        let frame = Frame(
            .response, stream: call.stream, flags: FrameHeader.endFlag, opcode: call.opcode,
            payload: message)
        machine.close(call.stream)
        cancelled.remove(call.stream)
        channel.post(frame)
        grant(call.payload.count)
    }

    private func close(_ stream: UInt32, with error: LinajeError, returning bytes: Int) {
        machine.close(stream)
        cancelled.remove(stream)
        refuse(stream, error)
        grant(bytes)
    }

    private func refuse(_ stream: UInt32, _ error: LinajeError) {
        guard let payload = try? Linaje_V1_Failure(error).payload() else { return }
        channel.post(Frame(.error, stream: stream, payload: payload))
    }

    private func grant(_ bytes: Int) {
        guard bytes > 0 else { return }
        var credit = Linaje_V1_Credit()
        credit.bytes = UInt32(clamping: bytes)
        guard let payload = try? credit.payload() else { return }
        machine.grantConnection(bytes)
        channel.post(Frame(.credit, payload: payload))
    }

    private func cancel(_ stream: UInt32) {
        cancelled.insert(stream)
        for (key, question) in questions where question.owner == stream {
            questions[key] = nil
            abandoned.insert(key)
            question.continuation.resume(throwing: Self.cancelledError)
        }
    }

    private func finish() {
        isOver = true
        for question in questions.values { question.continuation.resume(throwing: Self.goneError) }
        questions = [:]
    }

    private static let cancelledError = LinajeError(.cancelled, "the daemon cancelled the request")
    private static let goneError = LinajeError(
        .cancelled, "the daemon has hung up; nothing more can be read")
    private static let overloaded = LinajeError(
        .overloaded, "too many requests wait for this plugin; wait for one to end")
}
