import LinajeDomain
import LinajePluginKit

/// A JSON text as a tree, for small files whose parts stand in no known place. Large ones are read
/// with `JSONReader` alone. NaN, Infinity and -Infinity are numbers, as they are to Python.
package enum JSONValue: Sendable, Hashable {
    case object([Member])
    case array([JSONValue])
    case string(String)
    /// As it is written.
    case number(String)
    case bool(Bool)
    case null

    /// A key and its value.
    package struct Member: Sendable, Hashable {
        package var key: String
        package var value: JSONValue

        package init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// Most values of one text.
    package static let mostValues = 1_000_000

    /// - Throws: `invalidArgument` naming the text when it is no JSON, is nested too deep or has
    ///   too many values.
    package init(parsing bytes: [UInt8], name: String, depth: Int = 64) throws {
        var reader = JSONReader(bytes, name: name, depth: depth, takesNonFinite: true)
        var left = Self.mostValues
        do {
            self = try Self.value(&reader, &left)
            try reader.finish()
        } catch let error as LinajeError {
            throw LinajeError(.invalidArgument, error.message)
        }
    }

    private static func value(_ reader: inout JSONReader, _ left: inout Int) throws -> JSONValue {
        left -= 1
        guard left >= 0 else { throw reader.failure("has more than \(mostValues) values") }
        switch try reader.kind() {
        case .object:
            var members: [Member] = []
            try reader.object(limit: mostValues) { key, reader in
                members.append(Member(key: key, value: try value(&reader, &left)))
            }
            return .object(members)
        case .array:
            var values: [JSONValue] = []
            try reader.array(limit: mostValues) { values.append(try value(&$0, &left)) }
            return .array(values)
        case .string: return .string(try reader.string())
        case .number: return .number(try reader.raw())
        case .bool: return .bool(try reader.raw() == "true")
        case .null:
            try reader.skip()
            return .null
        }
    }

    // MARK: Parts

    /// The value of a key; `nil` when there is none.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    package var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    package var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var isNull: Bool { self == .null }

    package var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// A whole number, written as a number or, as XGBoost does, as a text of digits.
    package var integer: Int64? {
        switch self {
        case .number(let text), .string(let text): Int64(text)
        default: nil
        }
    }

    /// A scalar as a fact shows it; `nil` for null, objects and arrays.
    package var fact: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let bool): bool ? "true" : "false"
        case .null, .object, .array: nil
        }
    }

    /// The texts of an array, or the one text.
    package var texts: [String] {
        switch self {
        case .string(let text): [text]
        case .array(let elements): elements.compactMap(\.text)
        default: []
        }
    }
}
