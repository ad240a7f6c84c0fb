import LinajeDomain

/// The header of a file of one array (NumPy 2, `lib/format.py`).
///
/// ```
/// file   = "\x93NUMPY" | major u8 | minor u8 | header length u16 (version 1) or u32 | header | data
/// header = {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
/// ```
package struct NumpyHeader: Sendable {
    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    /// Longest header in bytes.
    private static let mostBytes = 64 << 10

    /// The type of the elements as it is written: "<f8", or a list of fields.
    package private(set) var type: String
    package private(set) var shape: [UInt64]
    /// Whether elements are objects, so that the data is a pickle.
    package private(set) var hasObjects: Bool

    /// Takes the header.
    ///
    /// - Throws: `invalidArgument` when there is none.
    package init(reading reader: inout PickleReader) async throws {
        let start = Array(try await reader.peek(12))
        guard start.count >= 10, start.starts(with: Self.magic), (1...3).contains(start[6]) else {
            throw Self.failure("has no header of NumPy")
        }
        let isShort = start[6] == 1
        guard isShort || start.count == 12 else { throw Self.failure("ends inside its header") }
        let length =
            isShort
            ? Int(start[8]) | Int(start[9]) << 8
            : Int(start[8]) | Int(start[9]) << 8 | Int(start[10]) << 16 | Int(start[11]) << 24
        guard length <= Self.mostBytes else {
            throw Self.failure("has a header of \(length) bytes")
        }
        let begin = isShort ? 10 : 12
        let bytes = Array(try await reader.peek(begin + length))
        guard bytes.count == begin + length else { throw Self.failure("ends inside its header") }
        try await reader.skip(UInt64(begin + length))
        try self.init(parsing: Array(bytes[begin...]))
    }

    /// Reads the dict.
    init(parsing bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Self.failure("has a header that is no text")
        }
        var literal = PythonLiteral(text)
        guard case .dict(let fields) = try literal.whole(), fields.count == 3,
            let descr = fields["descr"], case .bool = fields["fortran_order"],
            case .tuple(let dimensions) = fields["shape"], dimensions.count <= 64
        else { throw Self.failure("has a header that says no type and no shape") }
        shape = []
        for dimension in dimensions {
            guard case .int(let number) = dimension else {
                throw Self.failure("has a shape that is no list of numbers")
            }
            shape.append(number)
        }
        var codes: [String] = []
        try Self.collect(descr, into: &codes, depth: 0)
        type = codes.joined(separator: ",")
        hasObjects = !codes.allSatisfy(Self.isPlain)
    }

    /// Whether a code is one of numbers, texts or times: anything else may be objects by another name.
    private static func isPlain(_ code: String) -> Bool {
        var rest = code.utf8[...]
        if let first = rest.first, "<>|=".utf8.contains(first) { rest = rest.dropFirst() }
        guard let kind = rest.popFirst(), "?bBiufcmMSUVa".utf8.contains(kind) else { return false }
        while let digit = rest.first, (0x30...0x39).contains(digit) { rest = rest.dropFirst() }
        guard rest.first == UInt8(ascii: "[") else { return rest.isEmpty }
        return rest.last == UInt8(ascii: "]")
            && rest.dropFirst().dropLast().allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0)
            }
    }

    /// The codes of a type, of its fields where it has some.
    private static func collect(
        _ value: PythonLiteral.Value, into codes: inout [String], depth: Int
    ) throws {
        guard depth < 16 else { throw failure("has fields too deep inside one another") }
        switch value {
        case .text(let code): codes.append(code)
        case .list(let fields):
            for field in fields {
                guard case .tuple(let parts) = field, parts.count >= 2 else {
                    throw failure("has a type with fields that are none")
                }
                try collect(parts[1], into: &codes, depth: depth + 1)
            }
        case .tuple(let parts):
            guard let first = parts.first else { throw failure("has an empty type") }
            try collect(first, into: &codes, depth: depth + 1)
        default: throw failure("has a type that is none")
        }
    }

    private static func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "an array \(what)")
    }
}

/// What `ast.literal_eval` reads of the headers of arrays: texts, whole numbers, truth values, tuples,
/// lists and one dict.
struct PythonLiteral {
    enum Value {
        case text(String), int(UInt64), bool(Bool), none, tuple([Value]), list([Value])
        case dict([String: Value])
    }

    private static let mostDepth = 32
    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// The one value of the text.
    mutating func whole() throws -> Value {
        let value = try value()
        space()
        guard place == bytes.count else { throw failure() }
        return value
    }

    private mutating func value() throws -> Value {
        space()
        guard place < bytes.count, depth < Self.mostDepth else { throw failure() }
        depth += 1
        defer { depth -= 1 }
        switch bytes[place] {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "("): return .tuple(try elements(until: UInt8(ascii: ")")))
        case UInt8(ascii: "["): return .list(try elements(until: UInt8(ascii: "]")))
        case UInt8(ascii: "{"): return .dict(try members())
        case 0x30...0x39: return .int(try number())
        default:
            for (word, value) in [
                ("True", Value.bool(true)), ("False", .bool(false)), ("None", .none),
            ]
            where bytes[place...].starts(with: word.utf8) {
                place += word.utf8.count
                return value
            }
            throw failure()
        }
    }

    private mutating func text() throws -> String {
        let quote = bytes[place]
        let start = place + 1
        var end = start
        while end < bytes.count, bytes[end] != quote {
            guard bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20 else { throw failure() }
            end += 1
        }
        guard end < bytes.count else { throw failure() }
        place = end + 1
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private mutating func number() throws -> UInt64 {
        var value: UInt64 = 0
        while place < bytes.count, (0x30...0x39).contains(bytes[place]) {
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(UInt64(bytes[place] - 0x30))
            guard !tooLarge, !overflow else { throw failure() }
            value = sum
            place += 1
        }
        // Python 2 wrote long numbers with an L.
        if place < bytes.count, bytes[place] == UInt8(ascii: "L") { place += 1 }
        return value
    }

    private mutating func elements(until end: UInt8) throws -> [Value] {
        place += 1
        var out: [Value] = []
        while true {
            space()
            guard place < bytes.count else { throw failure() }
            if bytes[place] == end {
                place += 1
                return out
            }
            out.append(try value())
            try separator(end)
        }
    }

    private mutating func members() throws -> [String: Value] {
        place += 1
        var out: [String: Value] = [:]
        while true {
            space()
            guard place < bytes.count else { throw failure() }
            if bytes[place] == UInt8(ascii: "}") {
                place += 1
                return out
            }
            guard case .text(let key) = try value() else { throw failure() }
            space()
            guard place < bytes.count, bytes[place] == UInt8(ascii: ":") else { throw failure() }
            place += 1
            guard out.updateValue(try value(), forKey: key) == nil else { throw failure() }
            try separator(UInt8(ascii: "}"))
        }
    }

    private mutating func separator(_ end: UInt8) throws {
        space()
        guard place < bytes.count else { throw failure() }
        if bytes[place] == UInt8(ascii: ",") {
            place += 1
        } else if bytes[place] != end {
            throw failure()
        }
    }

    private mutating func space() {
        while place < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[place]) { place += 1 }
    }

    private func failure() -> LinajeError {
        LinajeError(.invalidArgument, "an array has a header that is malformed at byte \(place)")
    }
}
