import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("What is sent to be scored")
struct ScoringInputTests {
    private static func request(_ text: String) throws -> ScoringRequest {
        try ScoringRequest(parsing: Array(text.utf8))
    }

    private static func message(_ text: String) -> String {
        do {
            _ = try request(text)
            return "no error"
        } catch {
            return (error as? LinajeError)?.message ?? "\(error)"
        }
    }

    private static let table = ScoringTable(
        columns: ["a", "b"], rows: [[.int(1), .double(2.5)], [.int(3), .null]])

    @Test("the four forms of MLflow's protocol are the same table")
    func forms() throws {
        for text in [
            #"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2.5], [3, null]]}}"#,
            #"{"dataframe_records": [{"a": 1, "b": 2.5}, {"a": 3, "b": null}]}"#,
            #"{"dataframe_records": [{"a": 1, "b": 2.5}, {"a": 3}]}"#,
            #"{"instances": [{"a": 1, "b": 2.5}, {"b": null, "a": 3}]}"#,
            #"{"inputs": {"a": [1, 3], "b": [2.5, null]}}"#,
            #"{"inputs": [{"a": 1, "b": 2.5}, {"a": 3, "b": null}]}"#,
        ] {
            #expect(try Self.request(text).data == .table(Self.table), "\(text)")
        }
    }

    @Test("rows without names, single values and tensors keep what they are")
    func shapes() throws {
        let rows: [[JSONNode]] = [[.int(1), .int(2)], [.int(3), .int(4)]]
        #expect(
            try Self.request(#"{"instances": [[1, 2], [3, 4]]}"#).data
                == .table(ScoringTable(columns: nil, rows: rows)))
        #expect(
            try Self.request(#"{"inputs": [5, 6]}"#).data
                == .table(
                    ScoringTable(columns: nil, rows: [[.int(5)], [.int(6)]], isFlat: true)))
        guard case .tensor = try Self.request(#"{"inputs": [[[1], [2]]]}"#).data else {
            Issue.record("no tensor")
            return
        }
        // Columns that a row does not have are missing in it, whatever the order.
        #expect(
            try Self.request(#"{"dataframe_records": [{"b": 1}, {"a": 2}]}"#).data
                == .table(
                    .init(columns: ["b", "a"], rows: [[.int(1), .null], [.null, .int(2)]])))
    }

    @Test("NaN and infinities of Python's json module are numbers, params are kept")
    func special() throws {
        let request = try Self.request(
            #"{"inputs": [[NaN, Infinity, -Infinity]], "params": {"k": 1}}"#)
        guard case .table(let table) = request.data, case .double(let first) = table.rows[0][0]
        else {
            Issue.record("no table")
            return
        }
        #expect(first.isNaN)
        #expect(table.rows[0][1...] == [.double(.infinity), .double(-.infinity)])
        #expect(request.params == .object([.init(key: "k", value: .int(1))]))
    }

    @Test("what is none of them says why, with the row")
    func wrong() {
        for (text, part) in [
            ("[]", "give an object with one of the keys dataframe_split"),
            ("{}", "has no keys"), (#"{"data": []}"#, "has the keys data"),
            (#"{"inputs": [], "instances": []}"#, "instances and inputs"),
            (#"{"dataframe_split": []}"#, "not an object"),
            (#"{"dataframe_split": {"columns": ["a"]}}"#, "no list \"data\""),
            (#"{"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}"#, "row 2 has 2"),
            (#"{"dataframe_split": {"data": [1]}}"#, "row 1 is a number"),
            (#"{"dataframe_records": {"a": 1}}"#, "an object, not a list"),
            (#"{"dataframe_records": [{"a": 1}, 2]}"#, "row 2 is a number"),
            (#"{"dataframe_records": [{"a": 1, "a": 2}]}"#, "\"a\" twice"),
            (#"{"inputs": {"a": [1], "b": [1, 2]}}"#, "\"b\" has 2 values where \"a\" has 1"),
            (#"{"inputs": {"a": [1], "a": [2]}}"#, "a key twice"),
            (#"{"inputs": [1, [2]]}"#, "mixes values"), (#"{"inputs": "x"}"#, "inputs is text"),
            (#"{"instances": [[1], [2]], "params": 3}"#, "params is a number"),
        ] {
            #expect(Self.message(text).contains(part), "\(text): \(Self.message(text))")
        }
    }

    @Test("rows of other keys each are refused before they are filled up, a few of them are not")
    func otherKeys() throws {
        func records(_ count: Int) -> String {
            let rows = (0..<count).map { "{\"k\($0)\": 1}" }
            return "{\"dataframe_records\": [\(rows.joined(separator: ","))]}"
        }
        // 40,000 cells of 200 values, and 90,000 of 300.
        guard case .table(let table) = try Self.request(records(200)).data else {
            Issue.record("no table")
            return
        }
        #expect(table.rows.allSatisfy { $0.count == 200 })
        #expect(Self.message(records(300)).contains("300 columns in 300 rows, and only 300 values"))
        // One row of many keys before empty ones.
        let keys = (0..<300).map { "\"k\($0)\": 1" }.joined(separator: ",")
        let empty = [String](repeating: "{}", count: 299).joined(separator: ",")
        #expect(
            Self.message("{\"inputs\": [{\(keys)}, \(empty)]}").contains("300 columns in 300 rows"))
    }

    @Test("torn and damaged JSON is an error or another value, and never more than that")
    func torn() throws {
        let text = Array(
            #"{"inputs": {"\u00e9\n": [1, -2.5e3, true, "\ud83d\ude00"], "b": [null, 1, {"c": []}]}}"#
                .utf8)
        _ = try JSONNodeParser.parse(text)
        for length in 0..<text.count {
            #expect(throws: LinajeError.self, "\(length)") {
                try JSONNodeParser.parse(Array(text[..<length]))
            }
        }
        var dice = Dice(state: 1_859)
        for _ in 0..<20_000 {
            var damaged = text
            for _ in 0...(dice.next() % 3) {
                damaged[Int(dice.next() % UInt64(damaged.count))] = UInt8(
                    truncatingIfNeeded: dice.next())
            }
            _ = try? ScoringRequest(parsing: damaged)
        }
    }

    @Test("JSON that is none is refused: numbers, escapes, nesting, counts")
    func strict() {
        for text in [
            "01", "1.", ".5", "+1", "1e", "-", "[1,]", "{\"a\":}", "\"\\x\"", "\"\\ud800\"", "tru",
            "\"a", "1 2", "\u{1}", "\"\u{1}\"", "--1", "-Infinit",
        ] {
            #expect(throws: LinajeError.self, "\(text)") {
                try JSONNodeParser.parse(Array(text.utf8))
            }
        }
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: LinajeError.self) { try JSONNodeParser.parse(deep) }
        #expect(throws: LinajeError.self) {
            try JSONNodeParser.parse(Array("[1,2,3]".utf8), mostValues: 3)
        }
    }

    @Test("numbers are the nearest doubles, however they are written")
    func numbers() {
        var dice = Dice(state: 7)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: dice.next())
            guard value.isFinite else { continue }
            let short = Double(Int64(truncatingIfNeeded: dice.next()) % 1_000_000) / 1_000
            for text in ["\(value)", "\(short)", "\(short)e-3", "\(value.rounded())"] {
                #expect(NumberText.double(Array(text.utf8)) == Double(text), "\(text)")
            }
        }
        #expect(NumberText.double(Array("-0".utf8))?.sign == .minus)
        #expect(NumberText.double(Array("1e400".utf8)) == .infinity)
        for text in ["", "-", ".", "e5", "1e", "0x10", "nan", "inf", "1_000", "1 ", "1.2.3"] {
            #expect(NumberText.double(Array(text.utf8)) == nil, "\(text)")
        }
    }

    /// Numbers that are the same in every run (SplitMix64).
    struct Dice {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
