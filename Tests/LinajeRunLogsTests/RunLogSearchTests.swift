import LinajeDomain
import Testing

@testable import LinajeRunLogs

@Suite struct RunLogSearchTests {
    private func found(
        _ text: String, in records: [String], ignoresCase: Bool = false, context: Int = 0,
        limit: Int = 0
    ) throws -> [String] {
        var search = try RunLogSearch(
            text, ignoresCase: ignoresCase, context: context, limit: limit)
        var out: [RunLogSearch.Found] = []
        var offset: UInt64 = 0
        var line: UInt64 = 1
        for record in records {
            let bytes = Array(record.utf8)
            out += search.take(
                PlacedLogRecord(
                    LogRecord(time: Timestamp(microseconds: 0), .bytes(.stdout, bytes)),
                    offset: offset, line: line, writer: 0))
            offset += UInt64(bytes.count)
            line += bytes[...].lineFeeds
        }
        out += search.finish()
        return out.map {
            "\($0.line.number)\($0.isMatch ? ":" : "-")\(String(decoding: $0.line.bytes, as: UTF8.self))"
        }
    }

    @Test("a text is found in lines however they came, also in the last one without an end")
    func plain() throws {
        #expect(try found("lo", in: ["hel", "lo\nwor", "ld\nlo"]) == ["1:hello", "3:lo"])
        #expect(try found("LO", in: ["hello\n"]) == [])
        #expect(try found("LO", in: ["hello\n"], ignoresCase: true) == ["1:hello"])
        #expect(try found("ÄRGER", in: ["kein ärger\n"], ignoresCase: true) == ["1:kein ärger"])
    }

    @Test("lines around a match are shown once")
    func context() throws {
        let text = (1...9).map { "line \($0)\n" }.joined()
        #expect(
            try found("3", in: [text], context: 1) == ["2-line 2", "3:line 3", "4-line 4"])
        let log = ["a\nx\nb\nx\nc\nd\n"]
        #expect(try found("x", in: log, context: 2) == ["1-a", "2:x", "3-b", "4:x", "5-c", "6-d"])
    }

    @Test("a search ends at its limit, after the lines around the last match")
    func limit() throws {
        let log = ["x\nx\na\nb\n"]
        #expect(try found("x", in: log, limit: 1) == ["1:x"])
        #expect(try found("x", in: log, context: 1, limit: 1) == ["1:x", "2-x"])
    }

    @Test("a text across the parts of a line that is too long is found, and shown in an excerpt")
    func longLine() throws {
        let half = String(repeating: "z", count: LogLineAssembler.lineBytes - 2)
        let got = try found("needle", in: [half, "needle", half, "\n"])
        #expect(got.count == 1)
        #expect(got.first?.utf8.count ?? 0 <= Limits.logLineExcerptBytes + 2)
    }

    @Test("what no line can have, and what is too much, is refused")
    func refused() {
        for text in ["", "a\nb", String(repeating: "x", count: Limits.logSearchBytes + 1)] {
            #expect(throws: LinajeError.self) {
                try RunLogSearch(text, ignoresCase: false, context: 0, limit: 0)
            }
        }
        for (context, limit) in [(-1, 0), (101, 0), (0, -1), (0, 100_001)] {
            #expect(throws: LinajeError.self) {
                try RunLogSearch("x", ignoresCase: false, context: context, limit: limit)
            }
        }
    }
}
