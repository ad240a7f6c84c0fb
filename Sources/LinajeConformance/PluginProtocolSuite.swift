import LinajeDomain
public import LinajePluginKit
import LinajeWire

/// What every plugin's program must do on its standard input and output, whatever its kind
/// (proto-spec/PROTOCOL.md), tried frame by frame. Each case starts the program anew.
public enum PluginProtocolSuite {
    /// How long a program may take for anything.
    public static let patience = Duration.seconds(30)

    /// - Parameters:
    ///   - program: Absolute path of the plugin's program.
    ///   - isNamed: Whether the manifest is the plugin's own, so that it must say the same name.
    ///   - host: Absolute path of `linaje-flavor-host`, which locks it up.
    public static func cases(
        program: String, manifest: PluginManifest, isNamed: Bool = true, host: String
    ) -> [ConformanceCase] {
        func talk(
            _ name: String, _ body: @Sendable @escaping (inout Conversation) async throws -> Void
        ) -> ConformanceCase {
            ConformanceCase(name) {
                let probe = try await PluginProbe(confined: program, of: manifest, by: host)
                var conversation = Conversation(probe)
                do {
                    try await body(&conversation)
                } catch {
                    _ = await probe.end(within: .zero)
                    throw error
                }
                _ = await probe.end(within: .zero)
            }
        }
        return [
            talk("it says of itself what its plugin.json says") { talk in
                try await talk.greet()
                let said = try await talk.describe()
                if isNamed { try requireEqual(said.name, manifest.descriptor.name, "its name") }
                try requireEqual(said.kind, manifest.descriptor.kind.rawValue, "its kind")
            },
            talk("offered a later minor version, it takes one that it knows") { talk in
                try await talk.greet(minorVersion: 99)
                _ = try await talk.describe()
            },
            talk("it answers a ping with the same number, before a request and after it") { talk in
                try await talk.greet()
                try await talk.ping(1)
                _ = try await talk.describe()
                try await talk.ping(1 << 40)
            },
            talk("it answers a method that it does not have with error 100, and goes on") { talk in
                try await talk.greet()
                let answer = try await talk.ask(0x0BFF, [0, 0])
                try require(
                    answer?.header.type == .error, "it does not answer with an error frame")
                let code = try Linaje_V1_Failure(payload: answer?.payload ?? []).code
                try requireEqual(code, LinajeError.Code.unknownMethod.rawValue, "the error")
                _ = try await talk.describe()
            },
            talk("a message that is none costs no more than the connection") { talk in
                try await talk.greet()
                // A header that is longer than the payload.
                let answer = try await talk.ask(
                    Methods.describePlugin.opcode, [0xff, 0xff, 1, 2])
                if let answer, answer.header.stream != 0 {
                    try require(answer.header.type == .error, "it answers as if it were one")
                    _ = try await talk.describe()
                } else {
                    try await talk.requireEnd("after that")
                }
            },
            talk("it does not answer what is no preface, and ends") { talk in
                await talk.probe.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                talk.probe.endInput()
                // One error may say why.
                var errors = 0
                while let frame = try await talk.probe.receive(within: patience) {
                    errors += 1
                    try require(
                        frame.header.type == .error && errors == 1,
                        "it sends \(frame.header.type)")
                }
                try await talk.requireEnd("after that")
            },
            talk("it ends when its input ends") { talk in
                try await talk.greet()
                _ = try await talk.describe()
                talk.probe.endInput()
                try await talk.requireEnd("when its input had ended")
            },
        ]
    }

    /// The daemon's side of a connection.
    struct Conversation {
        let probe: PluginProbe
        private var nextStream: UInt32 = 1

        init(_ probe: PluginProbe) { self.probe = probe }

        func greet(minorVersion: UInt32 = 0) async throws {
            var hello = Linaje_V1_ClientHello()
            hello.minorVersion = minorVersion
            hello.agent = "linajed"
            await probe.send(
                FrameHeader.preface + Frame(.hello, payload: try hello.payload()).bytes)
            guard let frame = try await probe.receive(within: patience) else {
                throw await gone("before it had said hello")
            }
            try require(frame.header.type == .hello, "its first frame is \(frame.header.type)")
            let answer = try Linaje_V1_ServerHello(payload: frame.payload)
            try require(
                answer.minorVersion <= minorVersion,
                "it takes minor version \(answer.minorVersion) where \(minorVersion) is offered")
        }

        mutating func describe() async throws -> Linaje_V1_PluginDescriptor {
            let payload = try CallPayload.encode(
                header: Linaje_V1_CallHeader(), message: Linaje_V1_DescribePluginRequest())
            guard let answer = try await ask(Methods.describePlugin.opcode, payload) else {
                throw await gone("before it had answered DescribePlugin")
            }
            try require(
                answer.header.type == .response && answer.header.isEnd,
                "it answers DescribePlugin with \(answer.header.type)")
            return try Linaje_V1_PluginDescriptor(payload: answer.payload)
        }

        /// - Returns: What ends the request: its answer, an error of the connection, or `nil`: it hung up.
        mutating func ask(_ opcode: UInt16, _ payload: [UInt8]) async throws -> Frame? {
            let stream = nextStream
            nextStream += 2
            await probe.send(
                Frame(
                    .request, stream: stream, flags: FrameHeader.endFlag, opcode: opcode,
                    payload: payload
                ).bytes)
            while let frame = try await probe.receive(within: patience) {
                switch (frame.header.type, frame.header.stream) {
                case (.credit, 0), (.pong, 0): continue
                case (.ping, 0): await probe.send(Frame(.pong, payload: frame.payload).bytes)
                case (.error, 0), (_, stream): return frame
                default:
                    throw ConformanceFailure(
                        "it sends \(frame.header.type) on stream \(frame.header.stream), where "
                            + "nothing is asked on it")
                }
            }
            return nil
        }

        func ping(_ number: UInt64) async throws {
            var ping = Linaje_V1_Ping()
            ping.number = number
            await probe.send(Frame(.ping, payload: try ping.payload()).bytes)
            while let frame = try await probe.receive(within: patience) {
                if frame.header.type == .credit { continue }
                try require(frame.header.type == .pong, "it sends \(frame.header.type)")
                let answer = try Linaje_V1_Ping(payload: frame.payload).number
                return try requireEqual(answer, number, "the number of its pong")
            }
            throw await gone("before it had answered a ping")
        }

        /// Checks that the process ends by itself.
        func requireEnd(_ when: String) async throws {
            let ending = await probe.end(within: patience)
            try require(
                ending.isItsOwn, "\(when) it \(ending.how)\(Self.said(ending))")
        }

        private func gone(_ when: String) async -> ConformanceFailure {
            let ending = await probe.end(within: .milliseconds(500))
            return ConformanceFailure("it \(ending.how) \(when)\(Self.said(ending))")
        }

        private static func said(_ ending: PluginProbe.Ending) -> String {
            ending.lastLine.isEmpty ? "" : "; it said: \(ending.lastLine)"
        }
    }
}
