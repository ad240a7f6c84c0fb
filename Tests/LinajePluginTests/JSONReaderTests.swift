import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("JSONReader")
struct JSONReaderTests {
    private func check(_ text: String, depth: Int = 64) throws {
        var reader = JSONReader(Array(text.utf8), name: "text", depth: depth)
        try reader.skip()
        try reader.finish()
    }

    @Test(
        "right JSON is taken whole",
        arguments: [
            "{}", "[]", " [ ] ", "0", "-0", "1.5e+10", "\"\"", "true", "false", "null",
            "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\\n\\\"\"}", "[[],{},[{}]]",
            "\"\\ud83e\\uddec\"", "\t\r\n 12 ",
        ])
    func right(text: String) throws { try check(text) }

    @Test(
        "wrong JSON is refused",
        arguments: [
            "", " ", "{", "[", "{]", "[}", "[1,]", "{\"a\":1,}", "[,]", "{,}", "[1 2]", "{\"a\"}",
            "{\"a\" 1}", "{1:2}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "01", "-", "1.",
            ".5", "+1", "1e", "NaN", "Infinity", "tru", "nul", "'a'", "\"", "\"\\", "\"\\x\"",
            "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "{} {}",
            "[1]x", "\u{feff}{}", "// c\n{}", "{\"a\":1,\"\\u0061\":2}",
            "{\"\u{e9}\":1,\"e\u{301}\":2}",
            "{\((0..<20).map { "\"\($0)\":0" }.joined(separator: ",")),\"3\":0}",
        ])
    func wrong(text: String) {
        #expect(throws: LinajeError.self) { try check(text) }
    }

    @Test("what Python writes for numbers that are not finite is taken where it is wanted")
    func nonFinite() throws {
        for text in ["NaN", "Infinity", "-Infinity", "[NaN,{\"a\":-Infinity}]"] {
            var reader = JSONReader(Array(text.utf8), name: "text", takesNonFinite: true)
            try reader.skip()
            try reader.finish()
        }
        for text in ["-NaN", "Nan", "Inf", "I", "N", "-", "--Infinity", "Infinity1"] {
            var reader = JSONReader(Array(text.utf8), name: "text", takesNonFinite: true)
            #expect(throws: LinajeError.self, "\(text)") {
                try reader.skip()
                try reader.finish()
            }
        }
    }

    @Test("text that is not UTF-8 is refused")
    func encoding() {
        for bytes: [UInt8] in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]] {
            var reader = JSONReader([0x22] + bytes + [0x22], name: "text")
            #expect(throws: LinajeError.self) { try reader.skip() }
        }
    }

    @Test("nesting stops at its bound")
    func depth() throws {
        try check(String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
        let error = #expect(throws: LinajeError.self) {
            try check(String(repeating: "[", count: 1_000_000))
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test("numbers that are no whole ones from 0 to 2^64-1 are refused where those belong")
    func unsigned() throws {
        var reader = JSONReader(Array("[0,18446744073709551615]".utf8), name: "text")
        var values: [UInt64] = []
        try reader.array(limit: 2) { values.append(try $0.unsigned()) }
        #expect(values == [0, .max])
        for text in ["-1", "1.0", "1e3", "18446744073709551616", "\"1\"", "null", "-0"] {
            var reader = JSONReader(Array(text.utf8), name: "text")
            #expect(throws: LinajeError.self) { try reader.unsigned() }
        }
    }

    @Test("more entries than allowed are refused")
    func limit() {
        var reader = JSONReader(Array("[1,2,3]".utf8), name: "text")
        let error = #expect(throws: LinajeError.self) {
            try reader.array(limit: 2) { try $0.skip() }
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test("strings and raw texts come back as they are")
    func texts() throws {
        var reader = JSONReader(
            Array(#"{"k\u00e9y": "a\"b\\\/\b\f\n\r\t\ud83e\uddec", "r": [1, {"x":2}]}"#.utf8),
            name: "text")
        var found: [String: String] = [:]
        try reader.object(limit: 2) { key, reader in
            found[key] = key == "r" ? try reader.raw() : try reader.string()
        }
        #expect(found == ["kéy": "a\"b\\/\u{8}\u{c}\n\r\t🧬", "r": "[1, {\"x\":2}]"])
    }

    @Test("random bytes and torn texts never trap")
    func fuzz() {
        let seed: UInt64 = 11
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\":,\\u0123dDeE+-. tfn\u{ff}".utf8)
        for _ in 0..<20_000 {
            let length = Int.random(in: 0..<40, using: &generator)
            let bytes = (0..<length).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            var reader = JSONReader(bytes, name: "random, seed \(seed)")
            try? reader.skip()
            try? reader.finish()
        }
    }
}
