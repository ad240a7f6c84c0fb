import LinajeDomain

/// A JSON value to print; objects keep the order of their keys.
enum JSONValue {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([(String, JSONValue)])
    /// An object that is written member by member, without all of it in memory.
    case members((inout JSONMembers) -> Void)

    static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    static func count(_ number: Int) -> JSONValue { .int(Int64(number)) }
    static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }

    /// Key to value, by key.
    static func facts(_ facts: [String: String]) -> JSONValue {
        .object(facts.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    /// Tags as an object, by key.
    static func tags(_ tags: [Tag]) -> JSONValue {
        .object(tags.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    static func param(_ value: ParamValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .int(let number): .int(number)
        case .double(let number): .double(number)
        case .bool(let flag): .bool(flag)
        }
    }

    /// The fields of a moment: RFC 3339 text, and microseconds since 1970 UTC under "NAME_us".
    static func time(_ name: String, _ time: Timestamp?) -> [(String, JSONValue)] {
        [
            (name, .optional(time.map { Rendering.time($0) })),
            (name + "_us", time.map { .int($0.microseconds) } ?? .null),
        ]
    }

    /// The text on one line. NaN and infinities, which JSON lacks, are the strings "NaN",
    /// "Infinity" and "-Infinity", as in the JSON mapping of Protocol Buffers.
    var text: String {
        var out: [UInt8] = []
        write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends the text, as bytes: long lists spend most of their time here.
    func write(to out: inout [UInt8]) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let flag): out += (flag ? "true" : "false").utf8
        case .int(let number): Self.append(String(number), to: &out)
        case .uint(let number): Self.append(String(number), to: &out)
        case .double(let number):
            if number.isFinite {
                Self.append(number.description, to: &out)
            } else {
                let name = number.isNaN ? "NaN" : number > 0 ? "Infinity" : "-Infinity"
                Self.quote(name, to: &out)
            }
        case .string(let text): Self.quote(text, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let fields):
            out.append(UInt8(ascii: "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.quote(field.0, to: &out)
                out.append(UInt8(ascii: ":"))
                field.1.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        case .members(let write):
            out.append(UInt8(ascii: "{"))
            var members = JSONMembers()
            swap(&members.bytes, &out)
            write(&members)
            swap(&members.bytes, &out)
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { out.append(contentsOf: $0) }
    }

    fileprivate static func quote(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            guard mustEscapeAny(bytes) else { return out.append(contentsOf: bytes) }
            var start = 0
            for (index, byte) in bytes.enumerated() where mustEscape(byte) {
                out.append(contentsOf: bytes[start..<index])
                escape(byte, to: &out)
                start = index + 1
            }
            out.append(contentsOf: bytes[start...])
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    /// Without a branch for each byte, so that the compiler looks at many at once.
    private static func mustEscapeAny(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var found: UInt8 = 0
        for byte in bytes { found |= mustEscape(byte) ? 1 : 0 }
        return found != 0
    }

    private static func escape(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): out += "\\\"".utf8
        case UInt8(ascii: "\\"): out += "\\\\".utf8
        case UInt8(ascii: "\n"): out += "\\n".utf8
        case UInt8(ascii: "\r"): out += "\\r".utf8
        case UInt8(ascii: "\t"): out += "\\t".utf8
        default: out += ("\\u00" + Hex.encode([byte])).utf8
        }
    }
}

/// Takes the members of an object and writes them.
struct JSONMembers {
    fileprivate var bytes: [UInt8] = []
    private var isFirst = true

    mutating func add(_ name: String, _ value: JSONValue) {
        begin(name)
        value.write(to: &bytes)
    }

    /// What stands before the value of a member.
    private mutating func begin(_ name: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONValue.quote(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    /// As `JSONValue.time`.
    mutating func add(time name: String, _ time: Timestamp?) {
        guard let time else {
            add(name, .null)
            return add(name + "_us", .null)
        }
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        time.write(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        add(name + "_us", .int(time.microseconds))
    }
}
