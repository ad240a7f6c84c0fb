import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeCommands

@Suite("PredictionWriter")
struct PredictionWriterTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "linaje-predictions-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
    }

    /// What a file has after these batches.
    private func written(
        _ batches: [Predictions], _ format: PredictionWriter.Format
    ) throws -> String {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var writer = try PredictionWriter("\(folder)/out", format: format, name: nil)
        for batch in batches { try writer.add(batch) }
        try writer.finish()
        return try String(contentsOfFile: "\(folder)/out", encoding: .utf8)
    }

    private static func scored(
        _ output: ScorerOutput, _ values: [Double]
    ) throws -> Predictions {
        let layout = ScorerLayout(
            features: ["a"], hasNames: true, outputs: [ScorerOutput(name: "first"), output])
        return .scored(try ScoredOutput(output.name, of: layout, values: values))
    }

    private static func answered(_ text: String) throws -> Predictions {
        .answered(try JSONNodeParser.parse(Array(text.utf8)))
    }

    @Test("numbers, labels and vectors of a scorer, batch after batch")
    func scorers() throws {
        let labels = ScorerOutput(name: "class", kind: .label, labels: ["no", "yes, \"sure\""])
        let batch = try Self.scored(labels, [0.5, 0, 0.5, 1, 0.5, 7])
        #expect(
            try written([batch, batch], .json)
                == #"{"predictions": ["no", "yes, \"sure\"", null, "no", "yes, \"sure\"", null]}"#
                + "\n"
        )
    }

    @Test("tables have names of columns, and quotes where they are needed")
    func tables() throws {
        let vector = ScorerOutput(name: "p", width: 2, isVector: true, kind: .float32)
        let batch = try Self.scored(vector, [9, 0.25, 0.75, 9, .nan, .infinity])
        #expect(try written([batch], .csv) == "p_0,p_1\n0.25,0.75\n,Infinity\n")
    }

    @Test("what a library gives is put together where it is lists")
    func answers() throws {
        let lists = try ["[1, 2.5]", "[null]"].map(Self.answered)
        #expect(try written(lists, .json) == "{\"predictions\": [1, 2.5, null]}\n")
    }

    @Test("records of a library become rows")
    func records() throws {
        let rows = try Self.answered(#"[{"a": 1, "b": "x,y"}, {"b": null, "a": 2}]"#)
        #expect(try written([rows], .csv) == "a,b\n1,\"x,y\"\n2,\n")
    }

    @Test("columns of a library become rows, and one empty field is no empty line")
    func columns() throws {
        #expect(try written([Self.answered(#"{"a": [1, null]}"#)], .csv) == "a\n1\n\"\"\n")
    }

    @Test("an object stands alone, and rows without predictions are an empty list")
    func whole() throws {
        #expect(
            try written([Self.answered(#"{"a": [1]}"#)], .json)
                == "{\"predictions\": {\"a\":[1]}}\n")
        #expect(throws: LinajeError.self) {
            try written([Self.answered("{}"), Self.answered("{}")], .json)
        }
    }

    @Test("a file that is not finished is not there, and nothing is left of it")
    func unfinished() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            var writer = try PredictionWriter("\(folder)/out", format: .csv, name: nil)
            try writer.add(Self.answered("[1]"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    }

    @Test("a link where it is written meanwhile leads nowhere, and two at once are two")
    func links() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let victim = "\(folder)/victim"
        try Data("kept".utf8).write(to: URL(filePath: victim))
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/out.linaje-\(getpid()).part", withDestinationPath: victim)
        var first = try PredictionWriter("\(folder)/out", format: .csv, name: nil)
        var second = try PredictionWriter("\(folder)/out", format: .csv, name: nil)
        try first.add(Self.answered("[1]"))
        try second.add(Self.answered("[2]"))
        try first.finish()
        #expect(try String(contentsOfFile: "\(folder)/out", encoding: .utf8) == "predict\n1\n")
        try second.finish()
        #expect(try String(contentsOfFile: "\(folder)/out", encoding: .utf8) == "predict\n2\n")
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "kept")
    }
}
