import Foundation
import LinajeConformance
import LinajeDomain
import LinajeWire
import Testing

@testable import LinajePluginKit

@Suite("HostedScorers")
struct HostedScorerTests {
    /// A flavor whose models add up the values of a row, and say how many there were.
    struct Adding: ModelFlavor {
        struct Scorer: ModelScorer {
            let layout = ScorerLayout(
                features: ["a", "b"], hasNames: true,
                outputs: [
                    ScorerOutput(),
                    ScorerOutput(name: "count", width: 2, isVector: true, kind: .int64),
                ])

            func score(_ rows: [Double]) throws -> [Double] {
                try stride(from: 0, to: rows.count, by: 2).flatMap { row in
                    guard rows[row] != 13 else {
                        throw LinajeError(.invalidArgument, "13 has no answer")
                    }
                    return [rows[row] + rows[row + 1], 2, 0]
                }
            }
        }

        let descriptor = PluginDescriptor(name: "adding", kind: .modelFlavor, version: "1")
        func recognizes(_ source: any ModelSource) async throws -> Bool {
            try await source.files().contains { $0.path == "add" }
        }
        func describe(_ source: any ModelSource) async throws -> ModelDescription { .init() }
        func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? {
            switch try await source.read("add", offset: 0, length: 4) {
            case Array("none".utf8): nil
            case Array("torn".utf8): throw LinajeError(.invalidArgument, "file add is torn")
            default: Scorer()
            }
        }
    }

    /// The daemon's side of a connection to a host with this flavor.
    private final class Peer {
        private let channel: FrameChannel
        private let served: ServedModel
        private var stream: UInt32 = 1

        init(model: String) async throws {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let host = PluginHostSession(
                channel: FrameChannel(input: ends[0], output: ends[0], ownership: .owned),
                plugin: HostedFlavors(CompositeFlavor([Adding()])))
            channel = FrameChannel(input: ends[1], output: ends[1], ownership: .owned)
            served = ServedModel(MemoryModelSource(["add": Array(model.utf8)]), number: 1)
            // It ends when this side of the connection is released.
            Task { try await host.run() }
            let hello = Frame(.hello, payload: try Linaje_V1_ClientHello().payload())
            try await channel.send(FrameHeader.preface + hello.bytes)
        }

        func send<Request, Response>(
            _ method: LinajeWire.Method<Request, Response>, _ request: Request
        ) async throws -> UInt32 {
            defer { stream += 2 }
            try await channel.send(
                Frame(
                    .request, stream: stream, flags: FrameHeader.endFlag, opcode: method.opcode,
                    payload: CallPayload.encode(header: .init(), message: request)))
            return stream
        }

        /// The answer on a stream, or its error.
        func answer<Request, Response>(
            _ stream: UInt32, to method: LinajeWire.Method<Request, Response>
        ) async throws -> Response {
            while let frame = try await channel.receive() {
                if frame.header.type == .request {
                    let answer = try await served.answer(frame.header.opcode, frame.payload)
                    try await channel.send(
                        Frame(
                            .response, stream: frame.header.stream, flags: FrameHeader.endFlag,
                            opcode: frame.header.opcode, payload: answer))
                } else if frame.header.stream == stream {
                    guard frame.header.type == .response else {
                        throw LinajeError(try Linaje_V1_Failure(payload: frame.payload))
                    }
                    return try Response(payload: frame.payload)
                }
            }
            throw LinajeError(.unavailable, "the host has hung up")
        }

        func call<Request, Response>(
            _ method: LinajeWire.Method<Request, Response>, _ request: Request
        ) async throws -> Response {
            try await answer(try await send(method, request), to: method)
        }

        func open() async throws -> Linaje_V1_OpenScorerResponse {
            var request = Linaje_V1_OpenScorerRequest()
            request.source = 1
            return try await call(Methods.openScorer, request)
        }
    }

    private static func rows(_ scorer: UInt64, _ values: [Double]) -> Linaje_V1_ScoreRequest {
        var request = Linaje_V1_ScoreRequest()
        request.scorer = scorer
        request.rows = RowBytes.encode(values[...])
        return request
    }

    @Test("a scorer is opened, scores what is sent ahead in its order, and is closed")
    func conversation() async throws {
        let peer = try await Peer(model: "yes")
        let opened = try await peer.open()
        #expect(opened.scorer == 1)
        #expect(opened.flavor == "adding")
        #expect(try ScorerLayout(opened) == Adding.Scorer().layout)
        let first = try await peer.send(Methods.score, Self.rows(1, [1, 2, 3, .infinity]))
        let second = try await peer.send(Methods.score, Self.rows(1, [-0.5, 0.25]))
        let one = try await peer.answer(first, to: Methods.score)
        #expect(try RowBytes.decode(one.values) == [3, 2, 0, .infinity, 2, 0])
        let two = try await peer.answer(second, to: Methods.score)
        #expect(try RowBytes.decode(two.values) == [-0.25, 2, 0])
        var close = Linaje_V1_CloseScorerRequest()
        close.scorer = 1
        _ = try await peer.call(Methods.closeScorer, close)
        let gone = await #expect(throws: LinajeError.self) {
            try await peer.call(Methods.score, Self.rows(1, [1, 2]))
        }
        #expect(gone?.code == .notFound)
    }

    @Test("what the scorer refuses, torn values and torn rows are errors of that request only")
    func refusals() async throws {
        let peer = try await Peer(model: "yes")
        _ = try await peer.open()
        for (values, message) in [
            ([13, 1], "13 has no answer"), ([1, 2, 3], "3 values are no rows of 2 features"),
        ] as [([Double], String)] {
            let error = await #expect(throws: LinajeError.self) {
                try await peer.call(Methods.score, Self.rows(1, values))
            }
            #expect(error?.message == message)
            #expect(error?.code == .invalidArgument)
        }
        for length in 1...15 where length != 8 {
            var torn = Self.rows(1, [1, 2])
            torn.rows = torn.rows.prefix(length)
            let error = await #expect(throws: LinajeError.self) {
                try await peer.call(Methods.score, torn)
            }
            #expect(error?.code == .badMessage)
        }
        let right = try await peer.call(Methods.score, Self.rows(1, [1, 2]))
        #expect(try RowBytes.decode(right.values) == [3, 2, 0])
    }

    @Test("a model that no flavor computes has scorer 0, a malformed one is refused by name")
    func none() async throws {
        let opened = try await Peer(model: "none").open()
        #expect(opened == Linaje_V1_OpenScorerResponse())
        let error = await #expect(throws: LinajeError.self) {
            try await Peer(model: "torn").open()
        }
        #expect(error?.message == "file add is torn")
    }

    @Test("so many scorers are open at once and not more")
    func bound() async throws {
        let peer = try await Peer(model: "yes")
        for number in 1...UInt64(HostedScorers.most) {
            #expect(try await peer.open().scorer == number)
        }
        let error = await #expect(throws: LinajeError.self) { try await peer.open() }
        #expect(error?.code == .limitExceeded)
        var close = Linaje_V1_CloseScorerRequest()
        close.scorer = 3
        _ = try await peer.call(Methods.closeScorer, close)
        #expect(try await peer.open().scorer == UInt64(HostedScorers.most) + 1)
    }

    @Test("the layouts that no scorer has are refused")
    func layouts() throws {
        let right = Linaje_V1_OpenScorerResponse(
            Adding.Scorer().layout, scorer: 1, flavor: "adding")
        let wrong: [(inout Linaje_V1_OpenScorerResponse) -> Void] = [
            { $0.outputs = [] },
            { $0.outputs[0].kind = "complex128" },
            { $0.outputs[0].width = 0 },
            { $0.outputs[0].width = 2 },
            { $0.outputs[1].width = .max },
            { $0.outputs[0].labels = ["a"] },
            { $0.outputs[0].kind = "label" },
            { $0.features = [String](repeating: "f", count: 1 << 17) },
            { $0.outputs = [Linaje_V1_ScorerOutput](repeating: $0.outputs[0], count: 1_001) },
        ]
        #expect(try ScorerLayout(right) == Adding.Scorer().layout)
        for (place, change) in wrong.enumerated() {
            var response = right
            change(&response)
            #expect(throws: LinajeError.self, "change \(place)") { try ScorerLayout(response) }
        }
    }
}
