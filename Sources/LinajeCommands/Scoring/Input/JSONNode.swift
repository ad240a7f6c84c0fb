import LinajeDomain

/// A JSON value that was sent to be scored, or that a worker answered.
enum JSONNode: Sendable, Equatable {
    /// A member of an object.
    struct Member: Sendable, Equatable {
        var key: String
        var value: JSONNode
    }

    case null
    case bool(Bool)
    /// A number without point and exponent that fits.
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONNode])
    /// In the order of the text; a key may stand twice until somebody looks.
    case object([Member])

    /// What it is, for errors: "text", "a list".
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .int, .double: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The members by key.
    ///
    /// - Throws: `invalidArgument` when it is no object, or a key stands twice in it.
    func members(of noun: String) throws -> [String: JSONNode] {
        guard case .object(let members) = self else {
            throw LinajeError(.invalidArgument, "\(noun) is \(kind), not an object")
        }
        return try Dictionary(members.map { ($0.key, $0.value) }) { _, _ in
            throw LinajeError(.invalidArgument, "\(noun) has a key twice")
        }
    }

    /// Its JSON. As Python's json module writes them, NaN and infinities stand as such: this is for the
    /// worker, which reads them.
    func write(to out: inout [UInt8]) {
        switch self {
        case .null, .bool, .int, .string: plain.write(to: &out)
        case .double(let value):
            if value.isFinite {
                out += value.description.utf8
            } else {
                out += (value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity").utf8
            }
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (place, value) in values.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (place, member) in members.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                JSONValue.string(member.key).write(to: &out)
                out.append(UInt8(ascii: ":"))
                member.value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// The same for whoever asked: JSON has no NaN, which is null, and no infinity, which is text.
    var plain: JSONValue {
        switch self {
        case .null: .null
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .double(let number): number.isNaN ? .null : .double(number)
        case .string(let text): .string(text)
        case .array(let values): .array(values.map(\.plain))
        case .object(let members): .object(members.map { ($0.key, $0.value.plain) })
        }
    }
}
