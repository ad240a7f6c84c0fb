import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("MetricLine")
struct MetricLineTests {
    private func parse(_ text: String, key: String? = nil) throws -> String? {
        guard let line = try MetricLine(parsing: text.utf8, key: key) else { return nil }
        let values = line.values.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        return "\(line.step.map { "\($0)" } ?? "-") \(line.time.map { "\($0)" } ?? "-") \(values)"
    }

    @Test(
        "the forms that people and programs write are read",
        arguments: [
            (#"{"key": "loss", "value": 0.5, "step": 3, "time_us": 17}"#, "3 17 loss=0.5"),
            (#"{"loss": 0.5, "acc": 1, "step": -3}"#, "-3 - loss=0.5 acc=1.0"),
            (
                #"{"loss": NaN, "a": -Infinity, "b": "Infinity", "c": null}"#,
                "- - loss=nan a=-inf b=inf"
            ),
            (#"  { "l\u00f6ss\n" : 1e3 , "step" : 2.0 }  "#, "2 - löss\n=1000.0"),
            (#"{"\ud83d\ude00": 1}"#, "- - 😀=1.0"),
            ("loss=0.5 acc=nan step=3", "3 - loss=0.5 acc=nan"),
            ("loss=1,acc=2 , time_us=9\r", "- 9 loss=1.0 acc=2.0"),
            ("a=b=1", "- - a=b=1.0"),
        ])
    func forms(text: String, wanted: String) throws {
        #expect(try parse(text) == wanted)
    }

    @Test("a bare number belongs to the key that was given")
    func number() throws {
        #expect(try parse(" 0.25 ", key: "k") == "- - k=0.25")
        #expect(try parse("", key: "k") == nil)
        #expect(try parse(" \t ") == nil)
    }

    @Test(
        "other lines are refused",
        arguments: [
            "0.5", "loss", "loss=", "=1", "loss=x", "step=1", "step=1.5 loss=1", "{}", "{", "}",
            #"{"a":1"#, #"{"a":1}x"#, #"{"a":{}}"#, #"{"a":[1]}"#, #"{"a":"text"}"#,
            #"{"a":true}"#, #"{"a" 1}"#, #"{"a":1,}"#, #"{"\ud83d":1}"#, #"{"\ux":1}"#,
            #"{"key":"a"}"#, #"{"key":"a","value":1,"b":2}"#, #"{"a":1,"step":"x"}"#,
            #"{"a":1,"step":1.5}"#, #"{"a":1,"step":1e300}"#, "{\"a",
        ])
    func refused(text: String) {
        let error = #expect(throws: LinajeError.self) { try parse(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("any bytes are read or refused")
    func random() {
        let alphabet = Array(#"{}[]":,\u0019aekystp=.- NIx"#.utf8) + [0xFF, 0xC3]
        for seed in UInt64(1)...5_000 {
            var state = seed
            let line = (0..<Int(seed % 30)).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return alphabet[Int(state >> 33) % alphabet.count]
            }
            _ = try? MetricLine(parsing: line, key: seed % 2 == 0 ? "k" : nil)
        }
    }

    @Test("lines come out whole however the bytes are cut")
    func splitting() throws {
        let text = Array("one\n\ntwo\nthree".utf8)
        for size in 1...text.count {
            var splitter = LineSplitter()
            var lines: [String] = []
            for start in stride(from: 0, to: text.count, by: size) {
                let piece = Array(text[start..<min(start + size, text.count)])
                lines += try splitter.take(piece).map { String(decoding: $0, as: UTF8.self) }
            }
            lines.append(String(decoding: splitter.finish(), as: UTF8.self))
            #expect(lines == ["one", "", "two", "three"], "pieces of \(size)")
        }
        var splitter = LineSplitter()
        #expect(throws: LinajeError.self) {
            try splitter.take([UInt8](repeating: 0x61, count: LineSplitter.lineBytes + 1))
        }
    }
}
