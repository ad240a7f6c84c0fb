import LinajeDomain
import Testing

@Suite("Errors of filters")
struct FilterErrorTests {
    /// What is written, the column an error points at, and a word of it.
    static let malformed: [(String, Int, String)] = [
        ("metrics.loss", 13, "comparison"),
        ("metrics.loss <", 15, "number"),
        ("metrics.loss < 'x'", 16, "without quotes"),
        ("metrics.loss < abc", 16, "abc"),
        ("metrics.loss < 1 2", 18, "AND"),
        ("metrics.loss < 1 AND AND x = 'a'", 22, "field"),
        ("metrics.loss < 1 OR", 20, "field"),
        ("AND metrics.loss < 1", 1, "field"),
        ("metrics. < 1", 1, "key"),
        ("metrics.`loss < 1", 9, "does not end"),
        ("metrics.'loss' < 1", 9, "back-ticks"),
        ("metrics.`` < 1", 9, "empty"),
        ("metrics.val loss < 1", 13, "comparison"),
        ("metrics.loss LIKE 'a%'", 14, "texts"),
        ("metrics.loss ! 1", 14, "!="),
        ("metrics.loss = NULL", 16, "IS NULL"),
        ("metrics.loss IS 3", 17, "NULL"),
        ("metrics.loss IS NOT 3", 21, "NULL"),
        ("metrics.loss NOT 3", 18, "IN, LIKE"),
        ("metrics.loss < 1.2.3", 16, "no number"),
        ("metrics.loss < 12abc", 16, "no number"),
        ("metrics.loss < 0x10", 16, "no number"),
        ("metrics.loss < -", 16, "no number"),
        ("metrics.loss < 1e999", 16, "no number"),
        ("0.1 > metrics.loss", 1, "left"),
        ("'a' = status", 1, "left"),
        ("params.lr = abc", 13, "quotes"),
        ("params.lr = 'abc", 13, "does not end"),
        ("params.lr = `abc`", 13, "quotes"),
        ("params.lr < NaN", 13, "quotes"),
        ("tags.team = 5", 13, "quotes"),
        ("tags.team IN ()", 15, "quotes"),
        ("tags.team IN 'a'", 14, "list"),
        ("tags.team IN ('a' 'b')", 19, "column 14"),
        ("tags.team IN ('a', ", 20, "quotes"),
        ("tags.team LIKE 5", 16, "pattern"),
        ("colour = 'red'", 1, "run_id"),
        ("foo.bar = 'x'", 1, "foo."),
        ("attributes.colour = 'red'", 1, "colour"),
        ("datasets.colour = 'red'", 1, "colour"),
        ("status = FAILED", 10, "quotes"),
        ("start_time > 'yesterday'", 14, "2026-01-31"),
        ("start_time > '2026-02-30'", 14, "2026-01-31"),
        ("start_time > 9223372036854775807", 14, "moment"),
        ("start_time LIKE '2026%'", 12, "times"),
        ("experiment_id = 'abc'", 17, "whole number"),
        ("(status = 'A'", 14, "column 1"),
        ("status = 'A')", 13, "AND"),
        ("status = 'A' # comment", 14, "#"),
        ("status = 'A'; DROP TABLE runs", 13, ";"),
        ("NOT", 4, "field"),
        ("()", 2, "field"),
        ("tags.é = 'ü' AND x", 18, "attribute"),
        ("status = 'A' AND\n  metrics.x < y", 32, "number"),
    ]

    @Test("an error points at the character", arguments: malformed)
    func pointsAtCharacter(_ text: String, _ column: Int, _ word: String) {
        let error = #expect(throws: LinajeError.self) {
            try Filter.parse(text, for: .runs)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.details["position"] == String(column), "\(error?.message ?? "")")
        #expect(error?.details["argument"] == "filter")
        #expect(error?.message.hasPrefix("filter, column \(column): ") ?? false)
        #expect(error?.message.contains(word) ?? false, "\(error?.message ?? "")")
    }

    @Test("objects refuse the fields they do not have")
    func foreignFields() {
        for (schema, text) in [
            (SearchSchema.experiments, "metrics.x < 1"), (.experiments, "params.x = 'a'"),
            (.registeredModels, "datasets.name = 'd'"), (.modelVersions, "metrics.x IS NULL"),
            (.registeredModels, "run_id = 'a'"), (.datasets, "params.x = 'a'"),
        ] {
            let error = #expect(throws: LinajeError.self) { try Filter.parse(text, for: schema) }
            #expect(error?.details["position"] == "1")
            #expect(error?.message.contains(schema.noun) ?? false)
        }
    }

    @Test(
        "a sort key that is wrong is named",
        arguments: [
            ("datasets.name", 1), ("metrics.loss DOWN", 14), ("metrics.loss ASC DESC", 18), ("", 1),
            ("loss", 1),
        ])
    func sortKeys(_ text: String, _ column: Int) {
        let error = #expect(throws: LinajeError.self) {
            try SortKey.parse(["start_time", text], for: .runs)
        }
        #expect(error?.details["position"] == String(column), "\(error?.message ?? "")")
        #expect(error?.details["argument"] == "order_by[1]")
    }

    @Test("bounds hold, and what is at a bound is taken")
    func bounds() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "status = 'A'"
                + String(repeating: ")", count: depth)
        }
        func tests(_ count: Int) -> String {
            Array(repeating: "status = 'A'", count: count).joined(separator: " AND ")
        }
        func list(_ count: Int) -> String {
            "metrics.x IN (" + Array(repeating: "1", count: count).joined(separator: ",") + ")"
        }
        func times(_ count: Int) -> String {
            "start_time IN (" + Array(repeating: "1", count: count).joined(separator: ",") + ")"
        }
        func pattern(_ count: Int) -> String {
            "status LIKE '\(String(repeating: "a", count: count))'"
        }
        func patterns(_ bytes: Int) -> String {
            let full = bytes / Limits.filterPatternBytes
            return
                (Array(repeating: pattern(Limits.filterPatternBytes), count: full)
                + [pattern(bytes % Limits.filterPatternBytes)]).joined(separator: " OR ")
        }
        func long(_ bytes: Int) -> String {
            "status = 'A'" + String(repeating: " ", count: bytes - 12)
        }
        for (make, limit) in [
            (nested, Limits.filterDepth), (tests, Limits.filterTests),
            (list, Limits.filterListValues), (times, Limits.filterListTimes),
            (pattern, Limits.filterPatternBytes), (patterns, Limits.filterPatternsBytes),
            (long, Limits.filterBytes),
        ] as [((Int) -> String, Int)] {
            _ = try Filter.parse(make(limit), for: .runs)
            let error = #expect(throws: LinajeError.self) {
                try Filter.parse(make(limit + 1), for: .runs)
            }
            #expect(error?.code == .limitExceeded)
            #expect(error?.message.contains("\(limit)") ?? false)
        }
        let nots = String(repeating: "NOT ", count: Limits.filterDepth + 1) + "status = 'A'"
        #expect(throws: LinajeError.self) { try Filter.parse(nots, for: .runs) }
        #expect(throws: LinajeError.self) {
            try SortKey.parse(
                Array(repeating: "start_time", count: Limits.sortKeys + 1), for: .runs)
        }
    }

    @Test("any prefix of a filter, and any text with one byte changed, is read or refused")
    func torn() {
        let text =
            "metrics.`a b` <= -1.5e3 AND NOT (params.x IN ('0''1', \"b\") OR "
            + "start_time > '2026-01-01T00:00:00Z') AND tags.y ILIKE '%ü_'"
        for length in 0...text.utf8.count {
            _ = try? Filter.parse(
                String(decoding: text.utf8.prefix(length), as: UTF8.self), for: .runs)
        }
        for place in 0..<text.utf8.count {
            for byte in Array(" '\"`()<>=!.,-+\\%a0".utf8) + [0, 0xC3] {
                var bytes = Array(text.utf8)
                bytes[place] = byte
                _ = try? Filter.parse(String(decoding: bytes, as: UTF8.self), for: .runs)
            }
        }
    }
}
