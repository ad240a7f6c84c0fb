import LinajeAgent
import Testing

@Suite struct JSONLinesGrammarTests {
    /// The records of a file that is read in pieces of this many bytes, blank ones left out.
    private func records(_ text: String, pieces: Int = .max) -> [FollowedRecord] {
        var grammar = JSONLinesGrammar()
        let bytes = Array(text.utf8)
        var found: [FollowedRecord] = []
        var place = 0
        var end = 0
        while true {
            switch grammar.cut(bytes[place..<end]) {
            case .record(let count, let record):
                place += count
                if record != FollowedRecord() { found.append(record) }
            case .incomplete:
                guard end < bytes.count else { return found }
                end = pieces < bytes.count - end ? end + pieces : bytes.count
            default: return found
            }
        }
    }

    private func points(_ text: String) -> [FollowedPoint] { records(text).flatMap(\.points) }

    @Test("numbers are metrics, nested ones by their path, the rest is counted")
    func values() {
        let line = """
            {"step": 3, "time": 1.5, "loss": 0.5, "val": {"acc": 9e-1, "deep": {"x": -2}},
            "name": "a", "ok": true, "none": null, "list": [1, {"y": 2}]}
            """.replacing("\n", with: " ")
        let record = records(line + "\n")[0]
        #expect(record.points.map(\.key) == ["loss", "val/acc", "val/deep/x"])
        #expect(record.points.map(\.value) == [0.5, 0.9, -2])
        #expect(record.points.allSatisfy { $0.step == 3 && $0.time == 1_500_000 })
        #expect(record.ignored == 4)
    }

    @Test("a line without a step counts on, one without a time has none")
    func steps() {
        let points = points("{\"a\":1}\n{\"a\":2}\n{\"_step\":7,\"a\":3}\n{\"a\":4}\n")
        #expect(points.map(\.step) == [0, 1, 7, 8])
        #expect(points.allSatisfy { $0.time == nil })
    }

    @Test("what Python writes for numbers that JSON lacks is a value")
    func specials() {
        let values = points("{\"a\": NaN, \"b\": -Infinity, \"c\": \"Infinity\"}\n").map(\.value)
        #expect(values[0].isNaN)
        #expect(values[1...] == [-.infinity, .infinity])
    }

    @Test(
        "a line that is no object is passed over, and the next is read",
        arguments: [
            "epoch 1", "[1]", "{\"a\": }", "{\"a\" 1}", "{\"a\": 1", "{\"a\": 0x10}", "\"a\"",
            "{\"a\": \"\\ud800\"}", "{\"a\": \"\\q\"}", "{\"a\": inf}", "{,}", "{\"a\": 1,}",
            "{\"a\":" + String(repeating: "{\"a\":", count: 40) + "1"
                + String(
                    repeating: "}", count: 41),
            "{\"a\":" + String(repeating: "[", count: 100_000),
        ])
    func problems(_ line: String) {
        let found = records(line + "\n{\"b\": 2}\n")
        #expect(found.count == 2)
        #expect(found[0].problem != nil && found[0].points.isEmpty)
        #expect(found[1].points.map(\.value) == [2])
    }

    @Test("a line longer than the bound is passed over, and the next is read")
    func long() {
        let text = String(repeating: "x", count: AgentLimits.lineBytes + 10) + "\n{\"a\": 1}\n"
        for pieces in [Int.max, 100_000] {
            let found = records(text, pieces: pieces)
            #expect(found.count == 2)
            #expect(found[0].problem?.contains("longer") == true)
            #expect(found[1].points.map(\.value) == [1])
        }
    }

    @Test("the batches are the same however the file is torn while it grows")
    func torn() {
        let text =
            "\n{\"a\":1}\r\n{\"a\":{\"b\":2}}  {\"c\":3}\nno {\"d\":4}\n{\"e\":\"}\",\"f\":5}\n"
            + "{\"g\":6}} \n{\"h\":\"\\u00e9\\ud83d\\ude00\",\"i\":7}\n{\"j\":8}"
        let whole = points(text)
        #expect(whole.map(\.value) == [1, 2, 3, 5, 6, 7, 8])
        for pieces in 1..<text.utf8.count {
            #expect(records(text, pieces: pieces).flatMap(\.points) == whole)
        }
    }

    @Test("an object that is closed counts, one that is not waits")
    func last() {
        #expect(points("{\"a\":1}").map(\.value) == [1])
        #expect(records("{\"a\":1,\"b\":2").isEmpty)
    }
}
