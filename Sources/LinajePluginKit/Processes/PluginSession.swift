import LinajeDomain
import LinajeWire
import SwiftProtobuf
import Synchronization

/// One life of a plugin's process, seen from the daemon: started, greeted, asked, ended.
///
/// Requests are made one after the other by `PluginProcess`. Whatever throws, except a `Refusal`,
/// makes the session unusable: the process is then ended.
actor PluginSession {
    /// The process has answered a request with an error, as the protocol provides.
    struct Refusal: Error {
        var error: LinajeError
    }

    /// What the process says it is.
    struct Greeting: Sendable {
        var version: String
        var flavors: [String]
    }

    private let kind: PluginDescriptor.Kind
    private let child: ChildProcess
    private let channel: FrameChannel
    private let errors: StandardErrorTail
    private var credit = 0
    private var nextStream: UInt32 = 1
    private var lastPluginStream: UInt32 = 0
    private var sources: UInt64 = 0
    private var pings: UInt64 = 0
    private var isDraining = false
    /// Streams of ours that wait for their answer, and answers that came while none was awaited.
    private var waiting: Set<UInt32> = []
    private var early: [UInt32: Frame] = [:]

    /// Takes over a process that was just started.
    ///
    /// - Parameter kind: What it must say it is.
    init(_ child: ChildProcess, kind: PluginDescriptor.Kind) {
        self.kind = kind
        self.child = child
        channel = FrameChannel(input: child.socket, output: child.socket, ownership: .owned)
        errors = StandardErrorTail(child.errors)
    }

    /// Whether another request may be made.
    var isUsable: Bool { !isDraining && nextStream < UInt32.max - 1 && !child.hasEnded() }

    /// Ends the process; a request under way throws.
    nonisolated func kill() {
        child.kill()
        channel.hangUp()
    }

    /// Ends the session and says how the process ended and what it said last.
    ///
    /// - Parameter grace: How long the process may take to end by itself.
    func end(grace: Duration, on lane: BlockingLane) async -> (ChildProcess.Exit, String) {
        channel.hangUp()
        let child = child
        let exit = (try? await lane.run { child.reap(grace: grace) }) ?? .unknown
        return (exit, await errors.finish())
    }

    // MARK: Requests

    /// Says hello and asks what the process is.
    func greet() async throws -> Greeting {
        var hello = Linaje_V1_ClientHello()
        hello.minorVersion = 0
        hello.agent = "linajed"
        let frame = Frame(.hello, payload: try hello.payload())
        await send(FrameHeader.preface + frame.bytes)

        let first = try await next()
        if first.header.type == .error { throw Self.ended(by: first) }
        guard first.header.type == .hello, first.header.stream == 0 else {
            throw LinajeError(.badFrame, "its first frame is \(first.header.type), not hello")
        }
        let answer = try Linaje_V1_ServerHello(payload: first.payload)
        guard answer.minorVersion == 0 else {
            throw LinajeError(
                .versionUnsupported,
                "it speaks minor version \(answer.minorVersion) where 0 is the highest offered")
        }
        guard answer.connectionCredit <= UInt32(Limits.firstConnectionCredit) else {
            throw LinajeError(
                .flowControl, "its hello grants \(answer.connectionCredit) bytes; 32768 are allowed"
            )
        }
        credit = Int(answer.connectionCredit)

        let descriptor = try await call(
            Methods.describePlugin, Linaje_V1_DescribePluginRequest(), serving: nil)
        guard descriptor.kind == kind.rawValue else {
            throw LinajeError(
                .badMessage,
                "it says it is of kind \"\(descriptor.kind.prefix(40))\", not \"\(kind.rawValue)\"")
        }
        return Greeting(
            version: String(descriptor.version.prefix(80)),
            flavors: descriptor.flavors.prefix(1_000).map { String($0.prefix(80)) })
    }

    /// Asks whether the process still reads and writes; returns when it does. No request is under way.
    func ping() async throws {
        pings += 1
        var ping = Linaje_V1_Ping()
        ping.number = pings
        let payload = try ping.payload()
        await send(Frame(.ping, payload: payload).bytes)
        while true {
            let frame = try await next()
            if frame.header.type == .pong, frame.header.stream == 0,
                try Linaje_V1_Ping(payload: frame.payload).number == pings
            {
                return
            }
            try await take(frame, serving: nil)
        }
    }

    /// Asks what a model is, and serves its bytes meanwhile.
    func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let number = nextSource()
        var request = Linaje_V1_DescribeModelRequest()
        request.source = number
        let serving = ServedModel(source, number: number)
        let response = try await call(Methods.describeModel, request, serving: serving)
        return try ModelDescription(response.model).bounded()
    }

    /// What the next model is called.
    func nextSource() -> UInt64 {
        sources += 1
        return sources
    }

    func call<Request, Response>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request, serving: ServedModel?
    ) async throws -> Response {
        let stream = try await send(method, request)
        return try await answer(on: stream, to: method, serving: serving)
    }

    /// Sends a request. It must be followed by the taking of its answer, in the order of the requests.
    ///
    /// - Returns: Its stream.
    func send<Request, Response>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> UInt32 {
        let stream = nextStream
        nextStream += 2
        let payload = try CallPayload.encode(header: Linaje_V1_CallHeader(), message: request)
        while credit < payload.count {
            let frame = try await next()
            if waiting.contains(frame.header.stream), early[frame.header.stream] == nil {
                early[frame.header.stream] = frame
            } else {
                try await take(frame, serving: nil)
            }
        }
        credit -= payload.count
        let frame = Frame(
            .request, stream: stream, flags: FrameHeader.endFlag, opcode: method.opcode,
            payload: payload)
        waiting.insert(stream)
        // Not waited for: a plugin that reads and writes by turns may not read a request before it has
        // got rid of an answer.
        channel.post(frame)
        return stream
    }

    /// Waits for the answer to the request on `stream`, and serves the model's bytes meanwhile.
    func answer<Request, Response>(
        on stream: UInt32, to method: LinajeWire.Method<Request, Response>, serving: ServedModel?
    ) async throws -> Response {
        defer { waiting.remove(stream) }
        while true {
            let frame: Frame
            if let known = early.removeValue(forKey: stream) {
                frame = known
            } else {
                frame = try await next()
            }
            guard frame.header.stream == stream else {
                try await take(frame, serving: serving)
                continue
            }
            switch frame.header.type {
            case .response where frame.header.isEnd && frame.header.opcode == method.opcode:
                return try Response(payload: frame.payload)
            case .error:
                throw Refusal(error: refusal(in: try Linaje_V1_Failure(payload: frame.payload)))
            default:
                throw LinajeError(
                    .badFrame, "a \(frame.header.type) frame does not answer \(method.name)")
            }
        }
    }

    /// Sends bytes. A process that is gone is noticed by the next read, after its last words.
    private func send(_ bytes: [UInt8]) async { try? await channel.send(bytes) }

    private func next() async throws -> Frame {
        guard let frame = try await channel.receive() else { throw HungUp() }
        return frame
    }

    /// The process has closed its side.
    struct HungUp: Error {}

    /// Takes in a frame that does not answer the request under way.
    private func take(_ frame: Frame, serving: ServedModel?) async throws {
        switch (frame.header.type, frame.header.stream) {
        case (.credit, 0):
            let grant = try Linaje_V1_Credit(payload: frame.payload).bytes
            let (sum, overflow) = credit.addingReportingOverflow(Int(grant))
            guard !overflow, grant > 0, grant <= UInt32(Int32.max) else {
                throw LinajeError(.badFrame, "a credit frame must grant 1 to 2^31-1 bytes")
            }
            credit = min(sum, Int(Int32.max))
        case (.ping, 0):
            guard frame.payload.count <= ServerConnectionStateMachine.controlBytes else {
                throw LinajeError(
                    .frameTooLarge, "a ping frame of \(frame.payload.count) bytes is too large")
            }
            await send(Frame(.pong, payload: frame.payload).bytes)
        case (.pong, 0): break
        case (.goaway, 0): isDraining = true
        case (.error, 0): throw Self.ended(by: frame)
        case (.request, let stream):
            guard stream != 0, stream.isMultiple(of: 2), stream > lastPluginStream else {
                throw LinajeError(
                    .badStream,
                    "stream \(stream) cannot be opened by a plugin: its streams are even and each "
                        + "is higher than the last, \(lastPluginStream)")
            }
            guard frame.header.isEnd else {
                throw LinajeError(.badFrame, "a request of a plugin takes no data frames")
            }
            lastPluginStream = stream
            await send(try await Self.answer(to: frame, from: serving).bytes)
        case (.cancel, let stream) where stream != 0 && stream <= lastPluginStream: break
        default:
            throw LinajeError(
                .badFrame,
                "a \(frame.header.type) frame has no place on stream \(frame.header.stream)")
        }
    }

    private static func answer(to frame: Frame, from served: ServedModel?) async throws -> Frame {
        let stream = frame.header.stream
        do {
            guard let served else {
                throw LinajeError(.failedPrecondition, "no model is being described")
            }
            let payload = try await served.answer(frame.header.opcode, frame.payload)
            return Frame(
                .response, stream: stream, flags: FrameHeader.endFlag, opcode: frame.header.opcode,
                payload: payload)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let failure =
                error as? LinajeError
                ?? LinajeError(.internalError, "the model's bytes cannot be read")
            return Frame(.error, stream: stream, payload: try Linaje_V1_Failure(failure).payload())
        }
    }

    private static func ended(by frame: Frame) -> LinajeError {
        guard let failure = try? Linaje_V1_Failure(payload: frame.payload) else {
            return LinajeError(.badMessage, "its error frame is no Failure")
        }
        return LinajeError(.pluginFailed, "it ended the connection: \(text(failure.message))")
    }

    /// A plugin may speak of requests only, and one that keeps a store of that store; numbers that say
    /// something of the connection or the daemon are not its to use.
    private func refusal(in failure: Linaje_V1_Failure) -> LinajeError {
        let code = LinajeError.Code(rawValue: failure.code)
        let isItsOwn =
            (100..<200).contains(failure.code)
            || (kind == .artifactBackend && Self.ofStores.contains(code))
        return LinajeError(isItsOwn ? code : .pluginFailed, Self.text(failure.message))
    }

    private static let ofStores: [LinajeError.Code] = [
        .unavailable, .overloaded, .storageFull, .storageFailed, .readOnly,
    ]

    private static func text(_ message: String) -> String {
        let line = message.unicodeScalars.prefix(1_000).map { scalar -> Character in
            scalar.properties.generalCategory == .control ? " " : Character(scalar)
        }
        return String(line)
    }
}
