import LinajeDomain

/// Reads JSON (RFC 8259) that somebody sent, and NaN, Infinity and -Infinity, which Python's json
/// module writes. Nesting and the number of values are bounded.
struct JSONNodeParser {
    /// Deepest nesting.
    static let mostDepth = 64
    /// Most values of one text: each takes some 30 bytes of memory.
    static let mostValues = 8_000_000

    private let bytes: [UInt8]
    private let mostValues: Int
    private var position = 0
    private var depth = 0
    private var values = 0

    /// - Throws: `invalidArgument` saying what is wrong and where, `limitExceeded`.
    static func parse(_ bytes: [UInt8], mostValues: Int = mostValues) throws -> JSONNode {
        var parser = JSONNodeParser(bytes: bytes, mostValues: mostValues)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.wrong("end") }
        return value
    }

    private init(bytes: [UInt8], mostValues: Int) {
        self.bytes = bytes
        self.mostValues = mostValues
    }

    private mutating func value() throws -> JSONNode {
        values += 1
        guard values <= mostValues else {
            throw LinajeError(
                .limitExceeded, "JSON has more than \(mostValues) values; send it in parts")
        }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try nested { try $0.object() }
        case UInt8(ascii: "["): return try nested { try $0.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "N"): return try literal("NaN", .double(.nan))
        case UInt8(ascii: "I"): return try literal("Infinity", .double(.infinity))
        default: return try number()
        }
    }

    private mutating func nested(
        _ body: (inout JSONNodeParser) throws -> JSONNode
    ) throws -> JSONNode {
        guard depth < Self.mostDepth else {
            throw LinajeError(
                .limitExceeded,
                "JSON is nested more than \(Self.mostDepth) deep at byte \(position)")
        }
        depth += 1
        position += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    private mutating func array() throws -> JSONNode {
        var elements: [JSONNode] = []
        guard !take(UInt8(ascii: "]")) else { return .array([]) }
        repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw wrong("\",\" or \"]\"") }
        return .array(elements)
    }

    private mutating func object() throws -> JSONNode {
        var members: [JSONNode.Member] = []
        guard !take(UInt8(ascii: "}")) else { return .object([]) }
        repeat {
            skipSpace()
            let key = try string()
            guard take(UInt8(ascii: ":")) else { throw wrong("\":\"") }
            members.append(.init(key: key, value: try value()))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw wrong("\",\" or \"}\"") }
        return .object(members)
    }

    private mutating func number() throws -> JSONNode {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        if start < position, peek == UInt8(ascii: "I") {
            return try literal("Infinity", .double(-.infinity))
        }
        let whole = digits()
        guard whole == 1 || (whole > 1 && bytes[position - whole] != UInt8(ascii: "0")) else {
            throw wrong("value")
        }
        var isWhole = true
        if peek == UInt8(ascii: ".") {
            position += 1
            isWhole = false
            guard digits() > 0 else { throw wrong("digit") }
        }
        if let byte = peek, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            isWhole = false
            if let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position += 1
            }
            guard digits() > 0 else { throw wrong("digit") }
        }
        let text = bytes[start..<position]
        if isWhole, whole <= 19, let value = Int64(String(decoding: text, as: UTF8.self)) {
            return .int(value)
        }
        guard let value = NumberText.double(text) else { throw wrong("number") }
        return .double(value)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = peek, byte &- 0x30 < 10 { position += 1 }
        return position - start
    }

    private mutating func string() throws -> String {
        guard peek == UInt8(ascii: "\"") else { throw wrong("text") }
        position += 1
        let start = position
        var isPlain = true
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw wrong("escape for a control character") }
            if byte == UInt8(ascii: "\\") {
                isPlain = false
                position += 1
                guard peek != nil else { throw wrong("closing quote") }
            }
            position += 1
        }
        guard peek != nil else { throw wrong("closing quote") }
        let raw = bytes[start..<position]
        position += 1
        let text =
            isPlain
            ? String(validating: raw, as: UTF8.self)
            : try unescaped(raw)
        guard let text else { throw wrong("UTF-8 in a text before this place") }
        return text
    }

    private func unescaped(_ raw: ArraySlice<UInt8>) throws -> String? {
        var out: [UInt8] = []
        var place = raw.startIndex
        while place < raw.endIndex {
            guard raw[place] == UInt8(ascii: "\\"), place + 1 < raw.endIndex else {
                out.append(raw[place])
                place += 1
                continue
            }
            place += 2
            switch raw[place - 1] {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case let byte where "\"\\/".utf8.contains(byte): out.append(byte)
            case UInt8(ascii: "u"):
                guard let scalar = Self.scalar(raw, &place) else { throw wrong("\\u escape") }
                out += String(Character(scalar)).utf8
            default: throw wrong("escape that is known")
            }
        }
        return String(validating: out, as: UTF8.self)
    }

    /// The character of four hex digits, or of a pair of surrogates.
    private static func scalar(_ raw: ArraySlice<UInt8>, _ place: inout Int) -> Unicode.Scalar? {
        guard let high = unit(raw, &place) else { return nil }
        guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
        guard place + 1 < raw.endIndex, raw[place] == UInt8(ascii: "\\"),
            raw[place + 1] == UInt8(ascii: "u")
        else { return nil }
        place += 2
        guard let low = unit(raw, &place), (0xDC00..<0xE000).contains(low) else { return nil }
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    }

    private static func unit(_ raw: ArraySlice<UInt8>, _ place: inout Int) -> UInt32? {
        guard raw.endIndex - place >= 4 else { return nil }
        let digits = raw[place..<(place + 4)]
        place += 4
        guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private mutating func literal(_ text: StaticString, _ value: JSONNode) throws -> JSONNode {
        for index in 0..<text.utf8CodeUnitCount {
            guard peek == text.utf8Start[index] else { throw wrong("value") }
            position += 1
        }
        return value
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    /// Takes a byte if it is the next one that is no space.
    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private func wrong(_ expected: String) -> LinajeError {
        LinajeError(.invalidArgument, "JSON has no \(expected) at byte \(position)")
    }
}
