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
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let flag): out += flag ? "true" : "false"
        case .int(let number): out += String(number)
        case .uint(let number): out += String(number)
        case .double(let number):
            if number.isFinite {
                out += "\(number)"
            } else {
                out += number.isNaN ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\""
            }
        case .string(let text): Self.quote(text, to: &out)
        case .array(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += "," }
                value.write(to: &out)
            }
            out += "]"
        case .object(let fields):
            out += "{"
            for (index, field) in fields.enumerated() {
                if index > 0 { out += "," }
                Self.quote(field.0, to: &out)
                out += ":"
                field.1.write(to: &out)
            }
            out += "}"
        }
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                out += "\\u00" + Hex.encode([UInt8(scalar.value)])
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
