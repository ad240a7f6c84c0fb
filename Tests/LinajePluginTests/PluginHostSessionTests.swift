import Foundation
import LinajeConformance
import LinajeDomain
import LinajeWire
import SafetensorsFlavor
import Testing

@testable import LinajePluginKit

@Suite("PluginHostSession")
struct PluginHostSessionTests {
    /// The two ends of a connection.
    struct Connection {
        let host: PluginHostSession
        let peer: FrameChannel

        init() throws {
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
                throw LinajeError(.unavailable, "no socket")
            }
            host = PluginHostSession(
                channel: FrameChannel(input: ends[0], output: ends[0], ownership: .owned),
                plugin: HostedFlavors(CompositeFlavor([SafetensorsFlavor()])))
            peer = FrameChannel(input: ends[1], output: ends[1], ownership: .owned)
        }
    }

    private static func request(
        _ stream: UInt32, _ opcode: UInt16, _ message: [UInt8] = []
    ) -> Frame {
        Frame(
            .request, stream: stream, flags: FrameHeader.endFlag, opcode: opcode,
            payload: [0, 0] + message)
    }

    private static func opening() throws -> [UInt8] {
        FrameHeader.preface + Frame(.hello, payload: try Linaje_V1_ClientHello().payload()).bytes
    }

    /// What the host answers when it is sent these bytes and then nothing more.
    private func answers(to bytes: [UInt8]) async throws -> (frames: [Frame], failed: Bool) {
        let connection = try Connection()
        try await connection.peer.send(bytes)
        connection.peer.endOutput()
        let run = Task { try await connection.host.run() }
        let result = await run.result
        var frames: [Frame] = []
        connection.peer.hangUp()
        while let frame = try await connection.peer.receive() { frames.append(frame) }
        if case .failure = result { return (frames, true) }
        return (frames, false)
    }

    /// The error on stream 0 that the host ends with.
    private func ending(of bytes: [UInt8]) async throws -> LinajeError? {
        let (frames, failed) = try await answers(to: bytes)
        #expect(failed)
        guard let last = frames.last, last.header.type == .error, last.header.stream == 0 else {
            return nil
        }
        return LinajeError(try Linaje_V1_Failure(payload: last.payload))
    }

    @Test("hello, credit, the plugin's description and unknown methods are answered")
    func conversation() async throws {
        let bytes =
            try Self.opening() + Self.request(1, Methods.describePlugin.opcode).bytes
            + Self.request(3, 0x0101).bytes + Frame(.ping, payload: [8, 7]).bytes
        let (frames, failed) = try await answers(to: bytes)
        #expect(!failed)
        #expect(frames.first?.header.type == .hello)
        let pong = frames.first { $0.header.type == .pong }
        #expect(pong?.payload == [8, 7])
        let response = try #require(frames.first { $0.header.stream == 1 })
        let descriptor = try Linaje_V1_PluginDescriptor(payload: response.payload)
        #expect(descriptor.kind == "model flavor")
        #expect(descriptor.flavors == ["safetensors"])
        let error = try #require(frames.first { $0.header.stream == 3 })
        #expect(try Linaje_V1_Failure(payload: error.payload).code == 100)
        #expect(frames.contains { $0.header.type == .credit })
    }

    @Test("what breaks the protocol is answered with its error and ends the session")
    func malformed() async throws {
        let opening = try Self.opening()
        let preface = FrameHeader.preface
        let cases: [(String, [UInt8], LinajeError.Code)] = [
            ("garbage", Array("GET / HTTP/1.1\r\n\r\n".utf8), .badPreface),
            ("another major version", preface.dropLast() + [2], .versionUnsupported),
            ("a request before hello", preface + Self.request(1, 0x0B01).bytes, .badFrame),
            ("hello twice", opening + opening.dropFirst(8), .badFrame),
            ("hello in nonsense", preface + Frame(.hello, payload: [0xff]).bytes, .badMessage),
            ("an even stream", opening + Self.request(2, 0x0B01).bytes, .badStream),
            (
                "a stream used twice",
                opening + Self.request(1, 0x0B01).bytes + Self.request(1, 0x0B01).bytes, .badStream
            ),
            (
                "an answer to no question",
                opening + Frame(.response, stream: 2, flags: 1, opcode: 0x0B81).bytes, .badStream
            ),
            ("an unknown type", opening + [0, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0], .badFrame),
            ("a reserved bit", opening + [0, 0, 0, 0, 0, 0, 0, 0, 8, 4, 0, 0], .badFrame),
            (
                "a frame too large", opening + [0, 64, 0, 1, 0, 0, 0, 1, 2, 1, 11, 1],
                .frameTooLarge
            ),
            (
                "data frames",
                opening + Frame(.request, stream: 1, opcode: 0x0B01, payload: [0, 0]).bytes,
                .badFrame
            ),
            ("a torn frame", opening + [0, 0, 0, 9, 0, 0], .badFrame),
        ]
        for (what, bytes, code) in cases {
            #expect(try await ending(of: bytes)?.code == code, "\(what)")
        }
    }

    @Test("a request that is no message is refused, and the session goes on")
    func badRequests() async throws {
        let bytes =
            try Self.opening()
            + Frame(.request, stream: 1, flags: 1, opcode: 0x0B01, payload: []).bytes
            + Frame(.request, stream: 3, flags: 1, opcode: 0x0B01, payload: [0xff, 0xff]).bytes
            + Self.request(5, 0x0B02, [0xff, 0xff]).bytes
            + Self.request(7, Methods.describePlugin.opcode).bytes
        let (frames, failed) = try await answers(to: bytes)
        #expect(!failed)
        for stream: UInt32 in [1, 3, 5] {
            let frame = try #require(frames.first { $0.header.stream == stream })
            #expect(try Linaje_V1_Failure(payload: frame.payload).code == 101)
        }
        #expect(frames.contains { $0.header.stream == 7 && $0.header.type == .response })
    }

    @Test("a conversation torn at any byte ends, and never traps")
    func torn() async throws {
        let bytes =
            try Self.opening() + Self.request(1, Methods.describePlugin.opcode).bytes
            + Self.request(3, Methods.describeModel.opcode, [8, 1]).bytes
        for length in 0..<bytes.count {
            let (frames, failed) = try await answers(to: Array(bytes[..<length]))
            // Nothing at all, or the end between two frames, is a clean end.
            if length > 8, failed { #expect(frames.last?.header.type == .error) }
        }
    }

    @Test("random bytes after the hello end the session, and never trap")
    func random() async throws {
        let seed: UInt64 = 23
        var generator = SeededGenerator(seed: seed)
        for round in 0..<100 {
            let noise = generator.bytes(Int.random(in: 12..<200, using: &generator))
            let (_, failed) = try await answers(to: try Self.opening() + noise)
            #expect(failed, "seed \(seed), round \(round)")
        }
    }

    @Test("a cancelled description is answered with its error and the next one works")
    func cancel() async throws {
        let connection = try Connection()
        let run = Task { try await connection.host.run() }
        try await connection.peer.send(try Self.opening())
        try await connection.peer.send(Self.request(1, Methods.describeModel.opcode, [8, 1]))
        let question = try #require(try await next(.request, from: connection.peer))
        #expect(question.header.stream == 2)
        #expect(question.header.opcode == Methods.listSource.opcode)
        try await connection.peer.send(Frame(.cancel, stream: 1))
        let error = try #require(try await next(.error, from: connection.peer))
        #expect(error.header.stream == 1)
        #expect(try Linaje_V1_Failure(payload: error.payload).code == 112)
        // The answer to the abandoned question comes late.
        try await connection.peer.send(
            Frame(.response, stream: 2, flags: 1, opcode: Methods.listSource.opcode))
        try await connection.peer.send(Self.request(3, Methods.describePlugin.opcode))
        let response = try #require(try await next(.response, from: connection.peer))
        #expect(response.header.stream == 3)
        connection.peer.hangUp()
        try await run.value
    }

    private func next(_ type: FrameType, from channel: FrameChannel) async throws -> Frame? {
        while let frame = try await channel.receive() {
            if frame.header.type == type { return frame }
        }
        return nil
    }
}
