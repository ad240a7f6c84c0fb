import LinajeClient
import LinajeDomain

/// Shows the log of a run: as its bytes, or as lines with what is known of them.
struct LogView {
    let isJSON: Bool
    let hasTimes: Bool
    let isTerminal: Bool
    private var lines = LogLineAssembler()

    init(isJSON: Bool, hasTimes: Bool, isTerminal: Bool) {
        self.isJSON = isJSON
        self.hasTimes = hasTimes
        self.isTerminal = isTerminal
    }

    mutating func show(_ placed: PlacedLogRecord) {
        switch placed.record.content {
        case .missing(let count):
            for line in lines.finish() { show(line) }
            Output.flush()
            if isJSON {
                Output.line(
                    JSONValue.object([
                        ("missing_bytes", .uint(count)), ("offset", .uint(placed.offset)),
                    ]).text)
            } else {
                Output.note("\(Rendering.grouped(count)) bytes of the log are missing here")
            }
        case .bytes(_, let bytes):
            guard isJSON || hasTimes else {
                return Output.collect(isTerminal ? TerminalText.safe(bytes) : bytes)
            }
            for line in lines.take(placed) { show(line) }
        }
    }

    /// Shows the lines that were not ended.
    mutating func finish() {
        for line in lines.finish() { show(line) }
    }

    func show(_ match: LogMatch) {
        guard !isJSON else {
            return Output.line(
                match.line.json([
                    ("matches", .bool(match.isMatch)), ("skipped_bytes", .uint(match.skipped)),
                ]).text)
        }
        show(match.line, mark: match.isMatch ? ":" : "-", cut: match.skipped > 0)
    }

    private func show(_ line: LogLine) {
        if isJSON { return Output.line(line.json([]).text) }
        show(line, mark: nil, cut: false)
    }

    private func show(_ line: LogLine, mark: Character?, cut: Bool) {
        var head = hasTimes ? Rendering.time(line.time) + "  " : ""
        if let mark { head = "\(line.number)\(mark)" + head }
        if cut { head += "…" }
        Output.collect(Array(head.utf8))
        Output.collect(isTerminal ? TerminalText.safe(line.bytes) : line.bytes)
        Output.collect([0x0A])
    }
}

extension LogLine {
    /// The line as one object; bytes that are no UTF-8 are U+FFFD.
    func json(_ more: [(String, JSONValue)]) -> JSONValue {
        .object(
            [("line", .uint(number)), ("offset", .uint(offset))] + JSONValue.time("time", time) + [
                ("stream", .string(stream.name)), ("writer", .int(Int64(writer))),
                ("text", .string(String(decoding: bytes, as: UTF8.self))),
            ] + more)
    }
}

/// Bytes from outside on a terminal.
enum TerminalText {
    /// The bytes with every control character shown as an escape but line feeds, tabs, carriage returns,
    /// backspaces and the sequences that set colours: nothing else can move the cursor, set a title
    /// or answer for the user.
    static func safe(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(where: { $0 < 0x20 && !isKept($0) || $0 == 0x7F || $0 == 0xC2 }) else {
            return bytes
        }
        var out: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            if byte == 0x1B, let length = colourLength(rest) {
                out.append(byte)
                out += rest.prefix(length)
                rest = rest.dropFirst(length)
            } else if byte == 0xC2, let next = rest.first, (0x80...0x9F).contains(next) {
                // The control characters of Latin-1, as UTF-8: some terminals obey them, too.
                out += Array("\\u{\(String(next, radix: 16))}".utf8)
                rest = rest.dropFirst()
            } else if byte < 0x20 && !isKept(byte) || byte == 0x7F {
                out += Array("\\u{\(String(byte, radix: 16))}".utf8)
            } else {
                out.append(byte)
            }
        }
        return out
    }

    private static func isKept(_ byte: UInt8) -> Bool { [0x08, 0x09, 0x0A, 0x0D].contains(byte) }

    /// How long a colour sequence is after its escape: "[", digits, ";" or ":", then "m" (ECMA-48, SGR).
    private static func colourLength(_ rest: ArraySlice<UInt8>) -> Int? {
        guard rest.first == UInt8(ascii: "[") else { return nil }
        let numbers = rest.dropFirst().prefix(64).prefix {
            (0x30...0x39).contains($0) || $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ":")
        }
        guard rest.dropFirst(1 + numbers.count).first == UInt8(ascii: "m") else { return nil }
        return numbers.count + 2
    }
}
