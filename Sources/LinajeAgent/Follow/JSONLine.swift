import LinajeDomain

/// The numbers of a JSON object, nested objects joined by "/", in the order they stand. It also
/// takes NaN, Infinity and -Infinity, which Python's json module writes, bare or as texts.
struct JSONLine {
    /// A value by its path.
    enum Value: Equatable {
        /// As it is written: a whole number may not fit a double.
        case number(String)
        case text(String)
        /// Truth values, null, arrays.
        case other
    }

    struct Failure: Error, Equatable {
        /// What is wrong, for people.
        var reason: String
    }

    private var rest: ArraySlice<UInt8>
    private var fields: [(path: String, value: Value)] = []

    /// The fields of the object at the front of some bytes, and how many bytes it takes.
    static func object(
        atFrontOf bytes: ArraySlice<UInt8>
    ) throws(Failure) -> (fields: [(path: String, value: Value)], bytes: Int) {
        var parser = JSONLine(rest: bytes)
        parser.skipSpace()
        guard parser.rest.first == UInt8(ascii: "{") else {
            throw Failure(reason: "is no JSON object")
        }
        try parser.object(path: "", depth: 0)
        return (parser.fields, bytes.count - parser.rest.count)
    }

    /// The number that a value is, or stands for.
    static func double(_ value: Value) -> Double? {
        let text: String
        switch value {
        case .number(let digits): text = digits
        case .text(let word) where ["NaN", "Infinity", "-Infinity"].contains(word): text = word
        case .text, .other: return nil
        }
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: return Double(text)
        }
    }

    private mutating func object(path: String, depth: Int) throws(Failure) {
        guard depth < AgentLimits.jsonDepth else {
            throw Failure(reason: "is nested deeper than \(AgentLimits.jsonDepth)")
        }
        try expect("{")
        if takes("}") { return }
        repeat {
            let name = try string()
            try expect(":")
            try value(path: Self.joined(path, name), depth: depth)
            guard fields.count <= AgentLimits.pointsPerRecord else {
                throw Failure(reason: "has more than \(AgentLimits.pointsPerRecord) values")
            }
        } while takes(",")
        try expect("}")
    }

    /// A name that no metric can have, whatever follows it; long paths would be copied to each value.
    private static let tooLong = String(repeating: "?", count: Limits.keyBytes + 1)

    private static func joined(_ path: String, _ name: String) -> String {
        guard path.utf8.count + name.utf8.count < Limits.keyBytes else { return tooLong }
        return path.isEmpty ? name : path + "/" + name
    }

    private mutating func value(path: String, depth: Int) throws(Failure) {
        skipSpace()
        switch rest.first {
        case UInt8(ascii: "{"): try object(path: path, depth: depth + 1)
        case UInt8(ascii: "["):
            try array(depth: depth + 1)
            fields.append((path, .other))
        case UInt8(ascii: "\""): fields.append((path, .text(try string())))
        default: fields.append((path, try scalar()))
        }
    }

    /// Passes over an array; what is in it is checked and forgotten.
    private mutating func array(depth: Int) throws(Failure) {
        guard depth < AgentLimits.jsonDepth else {
            throw Failure(reason: "is nested deeper than \(AgentLimits.jsonDepth)")
        }
        let known = fields.count
        try expect("[")
        if takes("]") { return }
        repeat {
            try value(path: "", depth: depth)
            fields.removeLast(fields.count - known)
        } while takes(",")
        try expect("]")
    }

    private mutating func scalar() throws(Failure) -> Value {
        let word = rest.prefix { !",}] \t\r\n".utf8.contains($0) }
        rest = rest[word.endIndex...]
        let text = String(decoding: word, as: UTF8.self)
        switch text {
        case "true", "false", "null": return .other
        case "NaN", "Infinity", "-Infinity": return .number(text)
        default:
            guard text.utf8.first.map({ "-0123456789".utf8.contains($0) }) ?? false,
                text.utf8.allSatisfy({ "+-.0123456789eE".utf8.contains($0) }),
                Double(text) != nil
            else { throw Failure(reason: "has \"\(text.prefix(40))\" where a value must be") }
            return .number(text)
        }
    }

    private mutating func string() throws(Failure) -> String {
        try expect("\"")
        var out: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: out, as: UTF8.self) else {
                    throw Failure(reason: "has text that is no UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &out)
            default: out.append(byte)
            }
        }
        throw Failure(reason: "ends inside a text")
    }

    private mutating func escape(into out: inout [UInt8]) throws(Failure) {
        switch rest.popFirst() {
        case UInt8(ascii: "\"")?: out.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\")?: out.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/")?: out.append(UInt8(ascii: "/"))
        case UInt8(ascii: "n")?: out.append(0x0A)
        case UInt8(ascii: "r")?: out.append(0x0D)
        case UInt8(ascii: "t")?: out.append(0x09)
        case UInt8(ascii: "b")?: out.append(0x08)
        case UInt8(ascii: "f")?: out.append(0x0C)
        case UInt8(ascii: "u")?:
            var unit = try hexUnit()
            if (0xD800..<0xDC00).contains(unit), rest.starts(with: "\\u".utf8) {
                rest = rest.dropFirst(2)
                let low = try hexUnit()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw Failure(reason: "has half a character")
                }
                unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(unit) else {
                throw Failure(reason: "has half a character")
            }
            out.append(contentsOf: String(Character(scalar)).utf8)
        default: throw Failure(reason: "has an escape that JSON lacks")
        }
    }

    private mutating func hexUnit() throws(Failure) -> UInt32 {
        let digits = rest.prefix(4)
        rest = rest[digits.endIndex...]
        let text = String(decoding: digits, as: UTF8.self)
        guard digits.count == 4, text.utf8.first != UInt8(ascii: "+"),
            let unit = UInt32(text, radix: 16)
        else { throw Failure(reason: "has an escape that JSON lacks") }
        return unit
    }

    private mutating func skipSpace() { rest = rest.drop { " \t\r\n".utf8.contains($0) } }

    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
        guard takes(character) else { throw Failure(reason: "lacks \"\(character)\"") }
    }
}
