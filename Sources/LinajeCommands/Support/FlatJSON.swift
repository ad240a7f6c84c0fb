import LinajeDomain

/// Reads a JSON object without nesting: names and scalars, in the order they stand. It also takes
/// NaN, Infinity and -Infinity, which Python's json module writes.
struct FlatJSON {
    /// A scalar.
    enum Value: Equatable {
        case null
        case bool(Bool)
        /// A number, as it is written.
        case number(String)
        case string(String)

        /// The number it is, or stands for as a text ("NaN").
        var double: Double? {
            switch self {
            case .number(let text): FlatJSON.double(text)
            case .string(let text) where ["NaN", "Infinity", "-Infinity"].contains(text):
                FlatJSON.double(text)
            default: nil
            }
        }

        /// The whole number it is.
        var int: Int64? {
            guard case .number(let text) = self else { return nil }
            return Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
        }
    }

    private let bytes: [UInt8]
    private var position = 0

    /// - Throws: `invalidArgument` saying what is wrong and where.
    static func parse(_ bytes: [UInt8]) throws -> [(name: String, value: Value)] {
        try fields(bytes).map { ($0.name, $0.value) }
    }

    /// A name with its value, and at which byte the value begins.
    struct Field {
        var name: String
        var value: Value
        var place: Int
    }

    /// As `parse`, with places. Errors have theirs as the detail `position`.
    static func fields(_ bytes: [UInt8]) throws -> [Field] {
        var parser = FlatJSON(bytes: bytes)
        return try parser.object()
    }

    static func double(_ text: String) -> Double? {
        switch text {
        case "NaN": .nan
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        default: Double(text)
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func object() throws -> [Field] {
        var fields: [Field] = []
        try expect("{")
        skipSpace()
        if peek() == UInt8(ascii: "}") {
            position += 1
        } else {
            while true {
                let name = try string()
                try expect(":")
                skipSpace()
                let place = position
                fields.append(Field(name: name, value: try value(), place: place))
                skipSpace()
                guard peek() == UInt8(ascii: ",") else { break }
                position += 1
            }
            try expect("}")
        }
        skipSpace()
        guard position == bytes.count else { throw wrong("nothing more") }
        return fields
    }

    private mutating func value() throws -> Value {
        skipSpace()
        switch peek() {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw wrong("a number or text, without nesting")
        default: break
        }
        let start = position
        while let byte = peek(), !",} \t\r\n".utf8.contains(byte) { position += 1 }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        switch word {
        case "null": return .null
        case "true", "false": return .bool(word == "true")
        default:
            guard Self.double(word) != nil else {
                position = start
                throw wrong("a number or text")
            }
            return .number(word)
        }
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var out: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: out, as: UTF8.self) else {
                    throw wrong("UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &out)
            default: out.append(byte)
            }
        }
        throw wrong("the end of a text")
    }

    private mutating func escape(into out: inout [UInt8]) throws {
        guard let byte = peek() else { throw wrong("an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "u"):
            var unit = try hexUnit()
            if (0xD800..<0xDC00).contains(unit) {
                guard peek() == UInt8(ascii: "\\") else { throw wrong("a low surrogate") }
                position += 1
                guard peek() == UInt8(ascii: "u") else { throw wrong("a low surrogate") }
                position += 1
                let low = try hexUnit()
                guard (0xDC00..<0xE000).contains(low) else { throw wrong("a low surrogate") }
                unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw wrong("a character") }
            out.append(contentsOf: String(Character(scalar)).utf8)
        default: throw wrong("an escape")
        }
    }

    private mutating func hexUnit() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            let unit = UInt32(
                String(decoding: bytes[position..<(position + 4)], as: UTF8.self), radix: 16)
        else { throw wrong("four hex digits") }
        position += 4
        return unit
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), " \t\r\n".utf8.contains(byte) { position += 1 }
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        skipSpace()
        guard peek() == UInt8(ascii: character) else { throw wrong("\"\(character)\"") }
        position += 1
    }

    private func wrong(_ expected: String) -> LinajeError {
        LinajeError(
            .invalidArgument, "JSON has no \(expected) at byte \(position)",
            details: ["position": "\(position)"])
    }
}
