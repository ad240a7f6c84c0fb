import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("Rendering")
struct RenderingTests {
    private let plain = TextStyle(isColored: false)

    @Test(
        "moments are RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        ] as [(Int64, String)])
    func times(microseconds: Int64, text: String) {
        #expect(Rendering.time(Timestamp(microseconds: microseconds)) == text)
    }

    @Test("extreme moments are no trap", arguments: [Int64.min, Int64.max])
    func extremes(microseconds: Int64) {
        #expect(!Rendering.time(Timestamp(microseconds: microseconds)).isEmpty)
    }

    @Test("numbers and durations read well")
    func numbers() {
        #expect(Rendering.grouped(1_234_567) == "1,234,567")
        #expect(Rendering.grouped(-1_234) == "-1,234")
        #expect(Rendering.grouped(999) == "999")
        #expect(Rendering.number(0.1) == "0.1")
        #expect(Rendering.number(.nan) == "NaN")
        #expect(Rendering.number(-.infinity) == "-Inf")
        #expect(Rendering.decimal(12.345, 1) == "12.3")
        #expect(Rendering.duration(.milliseconds(15)) == "15ms")
        #expect(Rendering.duration(.seconds(200)) == "3m 20s")
        #expect(Rendering.duration(.seconds(3_720)) == "1h 02m")
    }

    @Test("columns are aligned and control characters cannot reach the terminal")
    func table() {
        var table = TextTable([("name", .left), ("n", .right), ("last", .left)])
        table.add(["a", "5", "x"])
        table.add(["long\u{1B}[2J", "1234", "y"])
        #expect(
            table.lines(plain) == [
                "NAME              N  LAST", "a                 5  x",
                "long\\u{1b}[2J  1234  y",
            ])
    }

    @Test("JSON keeps the order of keys and escapes what it must")
    func json() {
        let value = JSONValue.object([
            ("b", .string("\"\\\n\u{1}ü")), ("a", .array([.int(.min), .uint(.max), .null])),
            ("x", .double(.nan)), ("y", .double(-.infinity)), ("z", .double(0.1)),
            ("t", .bool(true)),
        ])
        #expect(
            value.text
                == #"{"b":"\"\\\n\u0001ü","a":[-9223372036854775808,18446744073709551615,null],"#
                + #""x":"NaN","y":"-Infinity","z":0.1,"t":true}"#)
    }

    @Test("a lineage is drawn as a tree in which nothing is drawn twice")
    func lineage() {
        var graph = LineageGraph(root: "models:/m/2")
        graph.add(LineageNode(id: "models:/m/2", kind: .modelVersion, label: "m 2"))
        graph.add(LineageNode(id: "runs:/a", kind: .run, label: "a", facts: ["status": "FINISHED"]))
        graph.add(LineageNode(id: "data:x", kind: .dataset, label: ""))
        graph.connect("models:/m/2", to: "runs:/a", as: .producedBy)
        graph.connect("models:/m/2", to: "data:x", as: .derivedFrom)
        graph.connect("runs:/a", to: "data:x", as: .used)
        graph.connect("data:x", to: "models:/m/2", as: .derivedFrom)
        #expect(
            LineageDrawing(graph).tree(plain) == [
                "models:/m/2  m 2",
                "├─ produced by runs:/a  a",
                "│  │  status: FINISHED",
                "│  └─ used data:x",
                "│     └─ derived from models:/m/2  m 2 (see above)",
                "└─ derived from data:x (see above)",
            ])
        let dot = LineageDrawing(graph).dot
        #expect(dot.first == "digraph lineage {" && dot.last == "}")
        #expect(dot.contains("  \"runs:/a\" -> \"data:x\" [label=\"used\"];"))
    }
}
