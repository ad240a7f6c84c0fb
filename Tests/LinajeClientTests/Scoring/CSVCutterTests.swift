import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("CSVCutter")
struct CSVCutterTests {
    private static func rows(_ pieces: [[UInt8]]) throws -> [[String]] {
        var cutter = CSVCutter()
        var rows: [[String]] = []
        for piece in pieces {
            try cutter.take(piece) { row in rows.append(try Self.texts(row)) }
        }
        try cutter.finish { row in rows.append(try Self.texts(row)) }
        return rows
    }

    private static func texts(_ row: borrowing CSVCutter.Row) throws -> [String] {
        var out: [String] = []
        for field in 0..<row.count { out.append(try row.text(field)) }
        return out
    }

    private static func rows(_ text: String) throws -> [[String]] { try rows([Array(text.utf8)]) }

    @Test("rows, quotes, line ends and empty fields are those of RFC 4180")
    func rules() throws {
        #expect(try Self.rows("a,b\n1,2\n") == [["a", "b"], ["1", "2"]])
        #expect(try Self.rows("a,b\r\n1,\r\n,2") == [["a", "b"], ["1", ""], ["", "2"]])
        #expect(try Self.rows("\"x,\"\"y\"\"\nz\",2\n") == [["x,\"y\"\nz", "2"]])
        #expect(try Self.rows("\n\na\n\r\n\"\"\n") == [["a"], [""]])
        #expect(try Self.rows("\u{FEFF}a,b\n") == [["a", "b"]])
        #expect(try Self.rows("\u{FB01}n\n") == [["\u{FB01}n"]])
        #expect(try Self.rows("a\"b,c\n") == [["a\"b", "c"]])
        #expect(try Self.rows("") == [])
        #expect(try Self.rows("\"a\"\r\n") == [["a"]])
    }

    @Test("where the bytes are cut into pieces makes no difference")
    func pieces() throws {
        let text = Array("\u{FEFF}id,\"na\"\"me\"\r\n1,\"x\r\ny\"\r\n\r\n2,é\n\"\",".utf8)
        let whole = try Self.rows([text])
        #expect(whole == [["id", "na\"me"], ["1", "x\r\ny"], ["2", "é"], ["", ""]])
        for cut in 0...text.count {
            #expect(try Self.rows([Array(text[..<cut]), Array(text[cut...])]) == whole)
        }
        #expect(try Self.rows(text.map { [$0] }) == whole)
    }

    @Test("what is no CSV names its line")
    func wrong() throws {
        for (text, part) in [
            ("a\n\"b", "line 2 has a quoted field without"),
            ("\"a\"b\n", "line 1 has a field that"),
            ("a,b\n\u{1},\"x\n", "line 2"),
        ] {
            let error = #expect(throws: LinajeError.self, "\(text)") { try Self.rows(text) }
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
        #expect(throws: LinajeError.self) { try Self.rows([[0xFF, 0x0A]]) }
        let commas = [UInt8](repeating: UInt8(ascii: ","), count: CSVCutter.mostFields + 1)
        #expect(throws: LinajeError.self) { try Self.rows([commas]) }
    }

    @Test("a row has so many bytes at most, doubled quotes too")
    func longRows() throws {
        for (text, fits) in [
            ("12345678\n", true), ("123456789\n", false), ("\"1234567\"\"\"\n", true),
            ("\"12345678\"\"\"\n", false), ("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\n", false),
        ] {
            guard !fits else {
                try Self.take(text, rowBytes: 8)
                continue
            }
            let error = #expect(throws: LinajeError.self, "\(text)") {
                try Self.take(text, rowBytes: 8)
            }
            #expect(error?.code == .limitExceeded)
        }
    }

    private static func take(_ text: String, rowBytes: Int) throws {
        var cutter = CSVCutter(rowBytes: rowBytes)
        try cutter.take(Array(text.utf8)) { _ in }
    }

    @Test("torn and damaged files are rows or errors")
    func damaged() throws {
        let text = Array("a,\"b\"\"c\",d\r\n\"1\n2\",3,\"\"\r\n".utf8)
        for length in 0...text.count { _ = try? Self.rows([Array(text[..<length])]) }
        var dice = ScoringInputTests.Dice(state: 12)
        for _ in 0..<10_000 {
            var damaged = text
            damaged[Int(dice.next() % UInt64(text.count))] = UInt8(truncatingIfNeeded: dice.next())
            _ = try? Self.rows([damaged])
        }
    }
}
