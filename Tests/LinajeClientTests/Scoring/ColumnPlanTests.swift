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

    @Test("signatures whose columns are no numbers are left to the library")
    func native() throws {
        #expect(ColumnPlan.isNative(nil))
        #expect(try ColumnPlan.isNative(Self.schema(Self.column("a", "boolean"))))
        for type in ["string", "datetime", "binary", "array", "any"] {
            #expect(try !ColumnPlan.isNative(Self.schema(Self.column("a", type))), "\(type)")
        }
        let cube = try Self.schema(
            #"{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2, 2]}}"#)
        #expect(!ColumnPlan.isNative(cube))
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
