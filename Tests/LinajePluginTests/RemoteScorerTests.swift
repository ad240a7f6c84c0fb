import Foundation
import LinajeConformance
import LinajeDomain
import LinajeWire
import Testing

@testable import LinajePluginKit

@Suite("RemoteScorer")
struct RemoteScorerTests {
    private let model = MemoryModelSource(["x": [1]])

    private static func opened(number: UInt64 = 9) -> Linaje_V1_OpenScorerResponse {
        Linaje_V1_OpenScorerResponse(
            ScorerLayout(features: ["a"], hasNames: true, outputs: [ScorerOutput()]),
            scorer: number, flavor: "test")
    }

    private static func values(_ values: [Double]) -> Linaje_V1_ScoreResponse {
        var response = Linaje_V1_ScoreResponse()
        response.values = RowBytes.encode(values[...])
        return response
    }

    /// What a process says after its greeting: the answers to the requests in their order.
    private static func script(_ answers: [(UInt16, [UInt8])]) throws -> String {
        var bytes = try PluginScript.greeting()
        for (place, answer) in answers.enumerated() {
            bytes += PluginScript.response(answer.1, stream: UInt32(3 + 2 * place), answer.0)
        }
        return "say('\(PluginScript.hex(bytes))'); time.sleep(1000)"
    }

    private static func process(
        _ answers: [(UInt16, [UInt8])], in folder: TemporaryDirectory
    ) throws -> PluginProcess {
        PluginScript.hostileOnce(try script(answers), in: folder)
    }

    @Test("rows are scored in the process, by one too that reads nothing before it has written")
    func scores() async throws {
        let folder = try TemporaryDirectory()
        let most = ScorerLayout(features: ["a"], hasNames: true, outputs: [ScorerOutput()])
            .rowsPerRequest
        var credit = Linaje_V1_Credit()
        credit.bytes = 8 << 20
        let grant = Frame(.credit, payload: try credit.payload()).bytes
        let first = [Double](repeating: 1, count: most)
        let bytes =
            try PluginScript.greeting() + grant
            + PluginScript.response(Self.opened().payload(), stream: 3, Methods.openScorer.opcode)
            + PluginScript.response(
                Self.values(first).payload(), stream: 5, Methods.score.opcode)
            + PluginScript.response(Self.values([2, 3]).payload(), stream: 7, Methods.score.opcode)
        let file = folder.path + "/answers"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let process = PluginScript.hostileOnce(
            "say(open('\(file)', 'rb').read().hex())\nwhile os.read(0, 1 << 20): pass", in: folder)
        let scorer = try #require(try await process.remoteScorer(for: model))
        #expect(scorer.flavor == "test")
        #expect(scorer.layout.features == ["a"])
        #expect(try await scorer.score([Double](repeating: 0, count: most + 2)) == first + [2, 3])
        await process.shutdown()
    }

    @Test("a plugin that knows no scorers, and one without one for the model, are no error")
    func none() async throws {
        var failure = Linaje_V1_Failure()
        failure.code = LinajeError.Code.unknownMethod.rawValue
        let unknown =
            try PluginScript.greeting()
            + Frame(.error, stream: 3, payload: failure.payload()).bytes
        let folder = try TemporaryDirectory()
        let old = PluginScript.hostileOnce(
            "say('\(PluginScript.hex(unknown))'); time.sleep(1000)", in: folder)
        #expect(try await old.remoteScorer(for: model) == nil)
        await old.shutdown()
        // The flavors in the box: x is nothing to them.
        let process = PluginScript.process()
        #expect(try await process.remoteScorer(for: model) == nil)
        await process.shutdown()
    }

    @Test("answers of another length, torn ones and wrong layouts end the process with an error")
    func lies() async throws {
        let open = (Methods.openScorer.opcode, try Self.opened().payload())
        var torn = Self.values([1])
        torn.values = torn.values.prefix(7)
        for (answers, what) in [
            ([open, (Methods.score.opcode, try Self.values([1, 2]).payload())], "2 values where"),
            ([open, (Methods.score.opcode, try torn.payload())], "7 bytes are no rows"),
            ([open, (Methods.openScorer.opcode, [])], "does not answer Score"),
        ] as [([(UInt16, [UInt8])], String)] {
            let folder = try TemporaryDirectory()
            let process = try Self.process(answers, in: folder)
            let scorer = try #require(try await process.remoteScorer(for: model))
            let error = await #expect(throws: LinajeError.self) { try await scorer.score([1]) }
            #expect(error?.code == .pluginFailed)
            #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
            // The next life has no such scorer: the model is not what it was.
            let next = await #expect(throws: LinajeError.self) { try await scorer.score([1]) }
            #expect(next?.code == .conflict)
            await process.shutdown()
        }
        var none = Self.opened()
        none.outputs = []
        let folder = try TemporaryDirectory()
        let process = try Self.process([(Methods.openScorer.opcode, none.payload())], in: folder)
        let error = await #expect(throws: LinajeError.self) {
            try await process.remoteScorer(for: model)
        }
        #expect(error?.code == .pluginFailed)
        await process.shutdown()
    }

    @Test("rows that would give more than one call may are refused, and the process goes on")
    func bound() async throws {
        var layout = ScorerLayout(features: ["a"], hasNames: true, outputs: [])
        layout.outputs = [ScorerOutput(width: 100_000, isVector: true)]
        let opened = Linaje_V1_OpenScorerResponse(layout, scorer: 9, flavor: "test")
        let folder = try TemporaryDirectory()
        let process = try Self.process(
            [(Methods.openScorer.opcode, try opened.payload())], in: folder)
        let scorer = try #require(try await process.remoteScorer(for: model))
        #expect(scorer.layout.mostRows == 335)
        for _ in 0..<2 {
            let error = await #expect(throws: LinajeError.self) {
                try await scorer.score([Double](repeating: 0, count: 336))
            }
            // A process that had been ended would know another life, and say conflict.
            #expect(error?.code == .limitExceeded)
            #expect(error?.message.contains("at most 335 rows") == true)
        }
        await process.shutdown()
    }

    @Test("doubles travel bit by bit, and torn ones are refused")
    func bytes() throws {
        let values: [Double] = [0, -0.0, .nan, .infinity, .leastNonzeroMagnitude, 1 / 3, -1e308]
        let bytes = RowBytes.encode(values[...])
        #expect(bytes.count == 8 * values.count)
        #expect(Array(bytes[8..<16]) == [0, 0, 0, 0, 0, 0, 0, 0x80])
        #expect(try RowBytes.decode(bytes).map(\.bitPattern) == values.map(\.bitPattern))
        for length in 0..<bytes.count where !length.isMultiple(of: 8) {
            #expect(throws: LinajeError.self) { try RowBytes.decode(bytes.prefix(length)) }
        }
    }
}
