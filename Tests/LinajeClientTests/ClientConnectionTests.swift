import LinajeDomain
import LinajeTransport
import LinajeWire
import Synchronization
import Testing

@testable import LinajeClient

@Suite("ClientConnection", .timeLimit(.minutes(1)))
struct ClientConnectionTests {
    @Test("a change that broke off is tried again with the same idempotency key")
    func retries() async throws {
        let keys = Mutex<[[UInt8]]>([])
        let daemon = try FakeDaemon { connection, frame in
            guard frame.header.type == .request,
                let call = try? CallPayload(parsing: frame.payload)
            else { return .frames([]) }
            keys.withLock { $0.append(Array(call.header.idempotencyKey)) }
            if connection < 2 { return .hangUp }
            let experiment = Experiment(
                id: 5, name: "e", createdAt: Timestamp(microseconds: 1),
                updatedAt: Timestamp(microseconds: 1))
            return .frames([
                Frame(
                    .response, stream: frame.header.stream, flags: FrameHeader.endFlag,
                    opcode: frame.header.opcode,
                    payload: (try? Linaje_V1_Experiment(experiment).payload()) ?? [])
            ])
        }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        #expect(client.daemon.principal == "uid:1")
        #expect(try await client.createExperiment("e").id == 5)
        let seen = keys.withLock { $0 }
        #expect(seen.count == 3)
        #expect(Set(seen).count == 1 && seen[0].count == 16)
    }

    @Test("an error of the daemon arrives as it was sent")
    func errors() async throws {
        let daemon = try FakeDaemon { _, frame in
            var failure = Linaje_V1_Failure()
            failure.code = 4_711
            failure.message = "from the future"
            failure.details = ["a": "b"]
            return .frames([
                Frame(
                    .error, stream: frame.header.stream,
                    payload: (try? failure.payload()) ?? [])
            ])
        }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let error = await #expect(throws: LinajeError.self) { try await client.status() }
        #expect(error?.code.rawValue == 4_711)
        #expect(error?.message == "from the future")
        #expect(error?.details == ["a": "b"])
    }

    @Test("a server that breaks the rules ends the connection, not the program")
    func nonsense() async throws {
        let replies: [Frame] = [
            Frame(.data, stream: 1), Frame(.end, stream: 1), Frame(.request, stream: 2),
            Frame(.response, stream: 99), Frame(.credit, payload: [0xFF]),
            Frame(.pong, payload: [0xFF]), Frame(.hello),
        ]
        for reply in replies {
            let daemon = try FakeDaemon { _, _ in .frames([reply]) }
            let connection = try await ClientConnection.connect(to: daemon.socket, agent: "test")
            await #expect(throws: LinajeError.self, "\(reply.header.type)") {
                try await connection.call(Methods.getStatus, Linaje_V1_GetStatusRequest())
            }
            #expect(!connection.isOpen)
            daemon.stop()
        }
    }

    @Test("a daemon that says nothing is given up after the deadline")
    func silence() async throws {
        let daemon = try FakeDaemon(saysHello: false) { _, _ in .frames([]) }
        defer { daemon.stop() }
        let error = await #expect(throws: LinajeError.self) {
            try await ClientConnection.connect(
                to: daemon.socket, agent: "test", deadline: .milliseconds(50))
        }
        #expect(error?.code == .handshakeTimeout)
    }

    @Test("where nobody listens the error says so")
    func unreachable() async throws {
        let folder = try TemporaryFolder()
        for path in [folder.at("none"), try folder.write("file", "")] {
            let error = await #expect(throws: LinajeError.self) {
                try await LinajeClient.connect(to: path)
            }
            #expect(error?.code == .unavailable)
            #expect(error?.details["unreachable"] == "true")
        }
    }

    @Test("a task that is cancelled while it waits for an answer stops waiting")
    func cancellation() async throws {
        let daemon = try FakeDaemon { _, _ in .frames([]) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let task = Task { try await client.status() }
        await Task.yield()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("more bytes than the credit allows wait for credit, and arrive whole")
    func credit() async throws {
        let received = Mutex<[UInt8]>([])
        let daemon = try FakeDaemon { _, frame in
            let stream = frame.header.stream
            switch frame.header.type {
            case .data:
                received.withLock { $0 += frame.payload }
                return .frames([
                    FakeDaemon.credit(frame.payload.count, stream: stream),
                    FakeDaemon.credit(frame.payload.count, stream: 0),
                ])
            case .end:
                return .frames([
                    Frame(
                        .response, stream: stream, flags: FrameHeader.endFlag, opcode: 0x0502)
                ])
            default: return .frames([])
            }
        }
        defer { daemon.stop() }
        let connection = try await ClientConnection.connect(to: daemon.socket, agent: "test")
        let stream = try await connection.open(Methods.putFile, Linaje_V1_PutFileRequest())
        let bytes = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await stream.send(bytes: bytes)
        stream.finish()
        _ = try await stream.response()
        #expect(received.withLock { $0 == bytes })
    }
}
