import LinajeDomain

/// A value of the metadata of a GGUF file (gguf.md, "gguf_metadata_value_type").
enum GGUFValue: Sendable, Hashable {
    case unsigned(UInt64)
    case signed(Int64)
    case real(Double)
    case bool(Bool)
    case text(String)
    /// A text that is too long to keep: how many bytes it has.
    case longText(UInt64)
    /// An array: what its elements are, how many there are, and they themselves when they are few.
    case array(type: String, count: UInt64, elements: [GGUFValue])

    /// Longest text that is kept, in bytes; chat templates stand in one.
    static let mostTextBytes: UInt64 = 1 << 20
    /// Most elements of an array that are kept.
    static let mostKept: UInt64 = 64
    /// Deepest nesting of arrays; ggml reads none inside another.
    private static let names: [UInt64: (name: String, bytes: UInt64)] = [
        0: ("uint8", 1), 1: ("int8", 1), 2: ("uint16", 2), 3: ("int16", 2), 4: ("uint32", 4),
        5: ("int32", 4), 6: ("float32", 4), 7: ("bool", 1), 8: ("string", 8), 10: ("uint64", 8),
        11: ("int64", 8), 12: ("float64", 8),
    ]

    /// Reads a value.
    ///
    /// - Throws: `invalidArgument` for an unknown type, an array in an array, a bool that is
    ///   neither 0 nor 1 and a count that the file cannot hold.
    init(_ cursor: inout GGUFCursor, type: UInt64, key: String) throws {
        guard type == 9 else {
            self = try Self.scalar(&cursor, type: type, key: key)
            return
        }
        let elementType = try cursor.number(4)
        guard let (name, width) = Self.names[elementType] else {
            throw cursor.failure(
                "has the key \"\(key.prefix(200))\" with "
                    + (elementType == 9
                        ? "an array of arrays, which is not read"
                        : "elements of the type \(elementType), which is not known"))
        }
        let count = try cursor.number(8)
        try cursor.require(count, each: width, "elements of \"\(key.prefix(200))\"")
        guard count <= GGUFHeader.mostHeaderBytes / width else {
            throw cursor.failure(
                "has the key \"\(key.prefix(200))\" with \(count) elements; at most "
                    + "\(GGUFHeader.mostHeaderBytes / width) are read")
        }
        guard count > Self.mostKept else {
            var elements: [GGUFValue] = []
            for _ in 0..<count {
                elements.append(try Self.scalar(&cursor, type: elementType, key: key))
            }
            self = .array(type: name, count: count, elements: elements)
            return
        }
        if elementType == 8 {
            for _ in 0..<count { _ = try cursor.skipText() }
        } else {
            try cursor.skip(count * width)
        }
        self = .array(type: name, count: count, elements: [])
    }

    private static func scalar(
        _ cursor: inout GGUFCursor, type: UInt64, key: String
    ) throws -> GGUFValue {
        switch type {
        case 0: return .unsigned(try cursor.number(1))
        case 1: return .signed(Int64(Int8(truncatingIfNeeded: try cursor.number(1))))
        case 2: return .unsigned(try cursor.number(2))
        case 3: return .signed(Int64(Int16(truncatingIfNeeded: try cursor.number(2))))
        case 4: return .unsigned(try cursor.number(4))
        case 5: return .signed(Int64(Int32(truncatingIfNeeded: try cursor.number(4))))
        case 6:
            let bits = UInt32(truncatingIfNeeded: try cursor.number(4))
            return .real(Double(Float(bitPattern: bits)))
        case 7:
            let value = try cursor.number(1)
            guard value <= 1 else {
                throw cursor.failure(
                    "has the key \"\(key.prefix(200))\" with the bool \(value), not 0 or 1")
            }
            return .bool(value == 1)
        case 8:
            var ahead = cursor
            let length = try ahead.skipText()
            guard length <= mostTextBytes else {
                cursor = ahead
                return .longText(length)
            }
            return .text(
                try cursor.text(limit: mostTextBytes, "the text of \"\(key.prefix(200))\""))
        case 10: return .unsigned(try cursor.number(8))
        case 11: return .signed(Int64(bitPattern: try cursor.number(8)))
        case 12: return .real(Double(bitPattern: try cursor.number(8)))
        default:
            throw cursor.failure(
                "has the key \"\(key.prefix(200))\" of the type \(type), which is not known")
        }
    }

    /// The value as a fact shows it; `nil` for one that is too long to show.
    var fact: String? {
        switch self {
        case .unsigned(let number): return String(number)
        case .signed(let number): return String(number)
        case .real(let number): return "\(number)"
        case .bool(let bool): return bool ? "true" : "false"
        case .text(let text): return text.utf8.count <= 4_096 ? text : nil
        case .longText: return nil
        case .array(let type, let count, let elements):
            let shown = elements.compactMap(\.fact)
            let text = shown.joined(separator: ", ")
            guard shown.count == Int(clamping: count), text.utf8.count <= 1_024 else {
                return "\(count) of \(type)"
            }
            return "[\(text)]"
        }
    }

    /// A whole number that is not negative.
    var number: UInt64? {
        switch self {
        case .unsigned(let number): number
        case .signed(let number): UInt64(exactly: number)
        default: nil
        }
    }

    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// The texts of an array that is kept.
    var texts: [String] {
        if case .array(_, _, let elements) = self { elements.compactMap(\.text) } else { [] }
    }

    /// How many elements an array has.
    var count: UInt64? {
        if case .array(_, let count, _) = self { count } else { nil }
    }
}
