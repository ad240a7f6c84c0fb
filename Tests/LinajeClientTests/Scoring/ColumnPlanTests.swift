import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeCommands

@Suite("Columns against features and signature")
struct ColumnPlanTests {
    private static let layout = ScorerLayout(
        features: ["a", "b"], hasNames: true, outputs: [ScorerOutput()])

    private static func schema(_ columns: String) throws -> InputSchema? {
        try InputSchema(signature: "{\"inputs\": [\(columns)], \"outputs\": null}")
    }

    private static func column(
        _ name: String, _ type: String, required: Bool = true
    ) -> String {
        #"{"type": "\#(type)", "name": "\#(name)", "required": \#(required)}"#
    }

    private static func places(
        _ columns: [String]?, count: Int? = nil, schema: InputSchema? = nil,
        layout: ScorerLayout = layout
    ) throws -> [Int?] {
        try ColumnPlan(
            layout: layout, schema: schema, columns: columns,
            count: count ?? columns?.count ?? 0
        ).sources.map { $0?.place }
    }

    private static func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return (error as? LinajeError)?.message ?? "\(error)"
        }
    }

    @Test("columns are found by name in any order, others are ignored and said")
    func names() throws {
        #expect(try Self.places(["b", "x", "a"]) == [2, 0])
        let plan = try ColumnPlan(
            layout: Self.layout, schema: nil, columns: ["b", "x", "a"], count: 3)
        #expect(plan.ignored == ["x"])
        #expect(try Self.places(nil, count: 2) == [0, 1])
        #expect(
            Self.message { _ = try Self.places(["b", "c"]) }
                .contains("column \"a\" of the model's features is missing; found \"b\", \"c\""))
        #expect(
            Self.message { _ = try Self.places(["a", "b", "a"]) }.contains("more than once"))
        #expect(
            Self.message { _ = try Self.places(nil, count: 3) }
                .contains("2 features, and 3 columns"))
    }

    @Test("names that a library made up are places")
    func numbered() throws {
        var layout = Self.layout
        layout.features = ["Column_0", "Column_1"]
        #expect(try Self.places(["y", "x"], layout: layout) == [0, 1])
        #expect(throws: LinajeError.self) { try Self.places(["x"], layout: layout) }
        let schema = try Self.schema(Self.column("x", "double") + "," + Self.column("y", "double"))
        #expect(try Self.places(["y", "x"], schema: schema, layout: layout) == [1, 0])
    }

    @Test("the signature's columns are all asked for, optional ones may be missing")
    func signature() throws {
        let schema = try Self.schema(
            Self.column("a", "double") + "," + Self.column("b", "long", required: false))
        #expect(try Self.places(["b", "a"], schema: schema) == [1, 0])
        #expect(try Self.places(["a"], schema: schema) == [0, nil])
        #expect(
            Self.message { _ = try Self.places(["b"], schema: schema) }
                .contains("column \"a\" of the model's signature is missing"))
        let more = try Self.schema(
            Self.column("a", "double") + "," + Self.column("b", "double") + ","
                + Self.column("day", "double"))
        #expect(
            Self.message { _ = try Self.places(["a", "b"], schema: more) }
                .contains("column \"day\""))
        let tensor = try Self.schema(
            #"{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}"#)
        #expect(try Self.places(["x", "y"], schema: tensor) == [0, 1])
    }

    @Test("names that are all there are gone by, also such as a library makes up")
    func givenNumbers() throws {
        var layout = Self.layout
        layout.features = ["f0", "f1"]
        #expect(try Self.places(["f1", "x", "f0"], layout: layout) == [2, 0])
        #expect(try Self.places(["f1", "x"], layout: layout) == [0, 1])
        layout.hasNames = false
        #expect(try Self.places(["f1", "f0"], layout: layout) == [1, 0])
        let matrix = try Self.tensor("X", "[-1, 2]")
        #expect(try Self.places(["f1", "f0"], schema: matrix, layout: layout) == [1, 0])
    }

    @Test("lists without names are in the signature's order, not in that of the features")
    func lists() throws {
        let schema = try Self.schema(Self.column("b", "double") + "," + Self.column("a", "double"))
        #expect(try Self.places(nil, count: 2, schema: schema) == [1, 0])
        let more = try Self.schema(
            ["day", "b", "a"].map { Self.column($0, "double") }.joined(separator: ","))
        #expect(try Self.places(nil, count: 3, schema: more) == [2, 1])
        let others = try Self.schema(
            Self.column("x", "double") + "," + Self.column("y", "double"))
        #expect(
            Self.message { _ = try Self.places(nil, count: 2, schema: others) }
                .contains("are not the model's 2 features"))
        // A signature without names leaves the order to those that are given.
        let unnamed = try Self.schema(#"{"type": "double"}, {"type": "double"}"#)
        #expect(try Self.places(["b", "a"], schema: unnamed) == [1, 0])
        #expect(try Self.places(["x", "y"], schema: unnamed) == [0, 1])
        #expect(try Self.places(nil, count: 2, schema: unnamed) == [0, 1])
    }

    private static func tensor(_ name: String, _ shape: String) throws -> InputSchema? {
        try schema(tensorSpec(name, shape))
    }

    private static func tensorSpec(_ name: String, _ shape: String) -> String {
        #"{"type": "tensor", "name": "\#(name)", "tensor-spec": {"dtype": "float32", "shape": "#
            + shape + "}}"
    }

    @Test("a named matrix goes by place, tensors of one column each by their names")
    func tensors() throws {
        var layout = Self.layout
        layout.features = ["f0", "f1"]
        layout.hasNames = false
        let matrix = try Self.tensor("X", "[-1, 2]")
        #expect(ColumnPlan.obstacle(matrix) == nil)
        #expect(try Self.places(["age", "amount"], schema: matrix, layout: layout) == [0, 1])
        #expect(
            Self.message {
                _ = try Self.places(["a", "b", "c"], schema: matrix, layout: layout)
            }.contains("2 features, and 3 columns"))
        let columns = try Self.schema(
            Self.tensorSpec("b", "[-1, 1]") + "," + Self.tensorSpec("a", "[-1, 1]"))
        #expect(ColumnPlan.obstacle(columns) == nil)
        #expect(try Self.places(["a", "x", "b"], schema: columns) == [0, 2])
        #expect(try Self.places(nil, count: 2, schema: columns) == [1, 0])
        #expect(Self.message { _ = try Self.places(["a"], schema: columns) }.contains("\"b\""))
        let wide = try Self.schema(
            Self.tensorSpec("b", "[-1, 1]") + "," + Self.tensorSpec("a", "[-1, 2]"))
        #expect(ColumnPlan.obstacle(wide)?.contains("neither one matrix nor columns") == true)
    }

    @Test("tensors that are given by name become rows")
    func flattened() throws {
        func flat(_ text: String, _ schema: InputSchema?) throws -> ScoringTable? {
            let request = try ScoringRequest(parsing: Array(text.utf8))
            guard case .table(let table) = request.data else { return nil }
            return try table.flattened(schema)
        }
        let matrix = try Self.tensor("X", "[-1, 2]")
        let rows = ScoringTable(columns: nil, rows: [[.int(1), .int(2)], [.int(3), .int(4)]])
        #expect(try flat(#"{"inputs": {"X": [[1, 2], [3, 4]]}}"#, matrix) == rows)
        #expect(try flat(#"{"instances": [{"X": [1, 2]}, {"X": [3, 4]}]}"#, matrix) == rows)
        #expect(try flat(#"{"inputs": {"X": []}}"#, matrix) == ScoringTable(columns: nil, rows: []))
        #expect(
            Self.message { _ = try flat(#"{"inputs": {"X": [[1, 2], [3]]}}"#, matrix) }
                .contains("tensor \"X\", row 2 has 1 values where 2 belong"))
        let columns = try Self.schema(
            Self.tensorSpec("b", "[-1, 1]") + "," + Self.tensorSpec("a", "[-1, 1]"))
        #expect(
            try flat(#"{"inputs": {"a": [[1], [3]], "b": [2, 4]}}"#, columns)
                == ScoringTable(columns: ["a", "b"], rows: rows.rows))
        let named = ScoringTable(columns: ["X"], rows: [[.array([.int(1)])]])
        #expect(try named.flattened(nil) == named)
    }

    @Test("signatures whose columns are no numbers are left to the library, and said")
    func native() throws {
        #expect(ColumnPlan.obstacle(nil) == nil)
        #expect(try ColumnPlan.obstacle(Self.schema(Self.column("a", "boolean"))) == nil)
        for type in ["string", "datetime", "binary", "array", "any"] {
            let obstacle = try ColumnPlan.obstacle(Self.schema(Self.column("a", type)))
            #expect(
                obstacle == "the signature has column \"a\" of type \(type), which is no number")
        }
        let cube = try Self.schema(
            #"{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2, 2]}}"#)
        #expect(ColumnPlan.obstacle(cube) != nil)
    }

    @Test("a value becomes of the column's type when nothing is lost, in JSON and in CSV")
    func types() throws {
        let cases: [(ColumnType, JSONNode, String, Double)] = [
            (.double, .int(3), "3", 3), (.double, .double(2.5), "2.5", 2.5),
            (.float, .double(0.1), "0.1", Double(Float(0.1))), (.long, .double(7), "7.0", 7),
            (.integer, .int(-5), "-5", -5), (.boolean, .bool(true), "True", 1),
            (.unknown, .bool(false), "False", 0), (.double, .null, "", .nan),
            (.unknown, .null, "NA", .nan), (.double, .string("NaN"), " nan ", .nan),
            (.float, .double(.infinity), "inf", .infinity),
        ]
        for (type, node, text, wanted) in cases {
            let rule = ColumnRule(name: "c", type: type)
            let json = try rule.number(of: node, row: 1)
            let csv = try rule.number(of: Array(text.utf8)[...], row: 1)
            #expect(json == wanted || (json.isNaN && wanted.isNaN), "\(type) \(node)")
            #expect(csv == wanted || (csv.isNaN && wanted.isNaN), "\(type) \(text)")
        }
    }

    @Test("a value that would change is refused with column, row and type")
    func refused() throws {
        let cases: [(ColumnType, JSONNode, String, String)] = [
            (.long, .double(1.5), "1.5", "fraction"), (.long, .null, "", "cannot be missing"),
            (.integer, .int(1 << 40), "1099511627776", "past 32 bits"),
            (.double, .string("x"), "x", "text \"x\""), (.boolean, .int(2), "2", "boolean"),
            (.boolean, .null, "", "cannot be missing"), (.unknown, .string("x"), "x", "a number"),
            (.long, .double(1e30), "1e30", "too large"), (.double, .bool(true), "True", "double"),
        ]
        for (type, node, text, part) in cases {
            let rule = ColumnRule(name: "age", type: type)
            let json = Self.message { _ = try rule.number(of: node, row: 12) }
            let csv = Self.message { _ = try rule.number(of: Array(text.utf8)[...], row: 12) }
            for message in [json, csv] {
                #expect(message.hasPrefix("column \"age\", row 12: the model wants "), "\(message)")
                #expect(message.contains(part), "\(type): \(message)")
            }
        }
        let texts = ColumnRule(name: "city", type: .string)
        #expect(Self.message { _ = try texts.checked(.int(1), row: 3) }.contains("found 1"))
        #expect(try texts.checked(.null, row: 3) == .null)
    }

    @Test("torn signatures are errors, and none is no schema")
    func torn() throws {
        #expect(try InputSchema(signature: "") == nil)
        #expect(try InputSchema(signature: "{\"inputs\": null}") == nil)
        let text = Array(
            "{\"inputs\":[\(Self.column("a", "double"))],\"outputs\":null,\"params\":null}")
        for length in 1..<text.count {
            #expect(throws: LinajeError.self, "\(length)") {
                try InputSchema(signature: String(text[..<length]))
            }
        }
        for inputs in [
            "[1]", "[{\"type\": \"tensor\"}]",
            #"[{"type": "tensor", "tensor-spec": {"dtype": "f", "shape": ["x"]}}]"#,
            #"[{"type": "tensor", "tensor-spec": {"dtype": "f"}}]"#,
        ] {
            #expect(throws: LinajeError.self, "\(inputs)") {
                try InputSchema(signature: "{\"inputs\": \(inputs)}")
            }
        }
    }
}
