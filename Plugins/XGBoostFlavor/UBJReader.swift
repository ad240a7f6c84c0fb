import LinajeDomain
import LinajeModelFiles

/// An XGBoost model in UBJSON (ubjson.org, draft 12; dmlc/xgboost, `src/common/json.cc`), read by
/// ranges: arrays of numbers of one type are skipped where they are long, and trees are counted as
/// in `XGBoostJSON`.
struct UBJReader {
    /// Most elements of an array of numbers that are kept.
    static let mostNumbers: UInt64 = 65_536
    /// Longest text that is kept, in bytes.
    static let mostTextBytes: UInt64 = 1 << 20
    /// Longest key in bytes.
    static let mostKeyBytes: UInt64 = 4_096

    private let window: FileWindow
    private var position: UInt64 = 0
    private var left = XGBoostJSON.mostValues
    private var kept: XGBoostTreeList

    /// - Parameter keepsTrees: Whether the trees are read and not only counted.
    init(_ window: FileWindow, keepsTrees: Bool = false) {
        self.window = window
        kept = XGBoostTreeList(trees: keepsTrees ? [] : nil)
    }

    /// - Throws: `invalidArgument` naming the file and the place.
    func read() async throws -> JSONValue { try await readAll().root }

    /// The model, and the trees if they are kept.
    ///
    /// - Throws: `limitExceeded` when they have more nodes than are scored.
    func readAll() async throws -> (root: JSONValue, trees: [XGBoostTree]) {
        var reader = self
        let value = try await reader.value(try await reader.marker(), keeps: true, depth: 0)
        guard reader.position == window.size else {
            throw reader.failure("has \(window.size - reader.position) bytes after its value")
        }
        return (value, reader.kept.trees ?? [])
    }

    /// A value after its marker; `.null` where it is not to be kept.
    private mutating func value(
        _ marker: UInt8, keeps: Bool, depth: Int
    ) async throws -> JSONValue {
        guard depth <= XGBoostJSON.mostDepth else {
            throw failure("is nested more than \(XGBoostJSON.mostDepth) deep")
        }
        if keeps {
            left -= 1
            guard left >= 0 else { throw failure("has too many values") }
        }
        switch marker {
        case UInt8(ascii: "{"): return try await object(keeps: keeps, depth: depth)
        case UInt8(ascii: "["): return try await array(keeps: keeps, depth: depth)
        case UInt8(ascii: "S"), UInt8(ascii: "H"):
            let length = try await length()
            guard keeps else {
                try skip(length)
                return .null
            }
            return .string(try await text(length, limit: Self.mostTextBytes))
        case UInt8(ascii: "Z"), UInt8(ascii: "N"): return .null
        case UInt8(ascii: "T"): return .bool(true)
        case UInt8(ascii: "F"): return .bool(false)
        default: return try await number(marker)
        }
    }

    private mutating func object(keeps: Bool, depth: Int) async throws -> JSONValue {
        var members: [JSONValue.Member] = []
        var keys: Set<String> = []
        while true {
            let marker = try await marker()
            if marker == UInt8(ascii: "}") { break }
            let key = try await text(try await length(after: marker), limit: Self.mostKeyBytes)
            guard keys.count < 65_536, keys.insert(key).inserted else {
                throw failure("has the key \"\(key.prefix(80))\" twice, or too many keys")
            }
            let next = try await self.marker()
            let value: JSONValue
            if keeps, key == "trees" {
                value = try await trees(next, depth: depth + 1)
            } else {
                value = try await self.value(next, keeps: keeps, depth: depth + 1)
            }
            if keeps { members.append(JSONValue.Member(key: key, value: value)) }
        }
        return keeps ? .object(members) : .null
    }

    /// The head of an array: the type of all its elements, and how many they are.
    private mutating func head() async throws -> (type: UInt8?, count: UInt64?) {
        var type: UInt8?
        if try await peek() == UInt8(ascii: "$") {
            position += 1
            type = try await marker()
        }
        guard try await peek() == UInt8(ascii: "#") else {
            guard type == nil else { throw failure("has an array with a type and no count") }
            return (nil, nil)
        }
        position += 1
        let count = try await length()
        // Without bytes for each element, a count of 2^63 would be a loop for ever.
        guard count <= window.size - min(window.size, position) else {
            throw failure("says an array has \(count) elements, more than the file is long")
        }
        return (type, count)
    }

    private mutating func array(keeps: Bool, depth: Int) async throws -> JSONValue {
        let (type, count) = try await head()
        if let type, let count, let width = Self.width(type) {
            return try await numbers(type, width, count, keeps: keeps)
        }
        guard type == nil else { throw failure("has an array of a type that is not read") }
        var elements: [JSONValue] = []
        var index: UInt64 = 0
        while index < count ?? .max {
            let marker = try await marker()
            if count == nil, marker == UInt8(ascii: "]") { break }
            let value = try await value(marker, keeps: keeps, depth: depth + 1)
            if keeps { elements.append(value) }
            index += 1
        }
        return keeps ? .array(elements) : .null
    }

    private mutating func numbers(
        _ type: UInt8, _ width: UInt64, _ count: UInt64, keeps: Bool
    ) async throws -> JSONValue {
        guard keeps, count <= Self.mostNumbers else {
            let (bytes, overflow) = count.multipliedReportingOverflow(by: width)
            guard !overflow else { throw failure("has an array that overflows") }
            try skip(bytes)
            return .null
        }
        var elements: [JSONValue] = []
        for _ in 0..<count {
            left -= 1
            guard left >= 0 else { throw failure("has too many values") }
            elements.append(try await number(type))
        }
        return .array(elements)
    }

    private mutating func trees(_ marker: UInt8, depth: Int) async throws -> JSONValue {
        guard marker == UInt8(ascii: "[") else { throw failure("has trees that are no array") }
        let (type, count) = try await head()
        guard type == nil else { throw failure("has trees of a type that is not read") }
        var nodes: Int64 = 0
        var index = 0
        while UInt64(index) < count ?? .max {
            let marker = try await self.marker()
            if count == nil, marker == UInt8(ascii: "]") { break }
            guard marker == UInt8(ascii: "{"), index < XGBoostJSON.mostTrees else {
                throw failure("has a tree that is no object, or too many")
            }
            nodes = XGBoostJSON.sum(nodes, try await tree(depth: depth + 1))
            index += 1
        }
        return XGBoostJSON.counts(index, nodes)
    }

    /// How many nodes a tree has.
    private mutating func tree(depth: Int) async throws -> Int64? {
        var nodes: Int64?
        var tree = XGBoostTree()
        var keys: Set<String> = []
        while true {
            let marker = try await marker()
            if marker == UInt8(ascii: "}") { break }
            let key = try await text(try await length(after: marker), limit: Self.mostKeyBytes)
            guard keys.count < 256, keys.insert(key).inserted else {
                throw failure("has a tree with the key \"\(key.prefix(80))\" twice, or too many")
            }
            if kept.trees != nil, XGBoostTree.keys.contains(key) {
                guard tree.take(key, try await column()) else {
                    throw failure("has a tree with damaged \(key)")
                }
                continue
            }
            let keeps = key == "tree_param"
            let value = try await value(try await self.marker(), keeps: keeps, depth: depth + 1)
            guard keeps else { continue }
            nodes = value["num_nodes"]?.integer
            tree.leafWidth = value["size_leaf_vector"]?.integer ?? 1
        }
        try kept.append(tree)
        return nodes
    }

    /// A column of a tree: an array of numbers, mostly of one type.
    private mutating func column() async throws -> [Double] {
        guard try await marker() == UInt8(ascii: "[") else {
            throw failure("has a column of a tree that is no array")
        }
        let (type, count) = try await head()
        // What has no width costs no bytes, however many there are.
        if let type, Self.width(type) == nil {
            throw failure("has a column of a tree of a type that is not read")
        }
        var numbers: [Double] = []
        while UInt64(numbers.count) < count ?? .max {
            let marker: UInt8
            if let type { marker = type } else { marker = try await self.marker() }
            if count == nil, marker == UInt8(ascii: "]") { break }
            guard numbers.count < XGBoostTreeList.mostNodes else {
                throw failure("has a tree with too many nodes")
            }
            switch marker {
            case UInt8(ascii: "T"): numbers.append(1)
            case UInt8(ascii: "F"): numbers.append(0)
            default: numbers.append(Self.double(try await bits(marker), marker))
            }
        }
        return numbers
    }

    // MARK: Parts

    private static func width(_ type: UInt8) -> UInt64? {
        switch type {
        case UInt8(ascii: "i"), UInt8(ascii: "U"), UInt8(ascii: "C"): 1
        case UInt8(ascii: "I"): 2
        case UInt8(ascii: "l"), UInt8(ascii: "d"): 4
        case UInt8(ascii: "L"), UInt8(ascii: "D"): 8
        default: nil
        }
    }

    /// A number after its marker.
    private mutating func number(_ type: UInt8) async throws -> JSONValue {
        let bits = try await bits(type)
        switch type {
        case UInt8(ascii: "i"): return .number(String(Int8(truncatingIfNeeded: bits)))
        case UInt8(ascii: "U"), UInt8(ascii: "C"): return .number(String(bits))
        case UInt8(ascii: "I"): return .number(String(Int16(truncatingIfNeeded: bits)))
        case UInt8(ascii: "l"): return .number(String(Int32(truncatingIfNeeded: bits)))
        case UInt8(ascii: "L"): return .number(String(Int64(bitPattern: bits)))
        case UInt8(ascii: "d"):
            return .number("\(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))")
        default: return .number("\(Double(bitPattern: bits))")
        }
    }

    /// The bytes of a number after its marker, of which the highest stands first.
    private mutating func bits(_ type: UInt8) async throws -> UInt64 {
        guard let width = Self.width(type) else {
            throw failure("has the unknown marker \(type)")
        }
        if !window.covers(position, Int(width)) { try await window.load(position, Int(width)) }
        var bits: UInt64 = 0
        for index in 0..<width { bits = bits << 8 | UInt64(window.byte(at: position + index) ?? 0) }
        position += width
        return bits
    }

    private static func double(_ bits: UInt64, _ type: UInt8) -> Double {
        switch type {
        case UInt8(ascii: "i"): Double(Int8(truncatingIfNeeded: bits))
        case UInt8(ascii: "U"), UInt8(ascii: "C"): Double(bits)
        case UInt8(ascii: "I"): Double(Int16(truncatingIfNeeded: bits))
        case UInt8(ascii: "l"): Double(Int32(truncatingIfNeeded: bits))
        case UInt8(ascii: "L"): Double(Int64(bitPattern: bits))
        case UInt8(ascii: "d"): Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        default: Double(bitPattern: bits)
        }
    }

    private mutating func length() async throws -> UInt64 {
        try await length(after: try await marker())
    }

    private mutating func length(after marker: UInt8) async throws -> UInt64 {
        let integers = [UInt8(ascii: "i"), UInt8(ascii: "U"), UInt8(ascii: "I")]
        let isInteger =
            integers.contains(marker) || marker == UInt8(ascii: "l") || marker == UInt8(ascii: "L")
        guard isInteger, let value = try await number(marker).integer, value >= 0 else {
            throw failure("has a length that is no whole number from 0 on")
        }
        return UInt64(value)
    }

    private mutating func text(_ length: UInt64, limit: UInt64) async throws -> String {
        guard length <= limit else {
            throw failure("has a text of \(length) bytes; at most \(limit) are read")
        }
        let text = try await window.text(position, Int(length))
        position += length
        return text
    }

    private mutating func marker() async throws -> UInt8 {
        let byte = try await peek()
        position += 1
        return byte
    }

    private func peek() async throws -> UInt8 {
        if !window.covers(position, 1) { try await window.load(position, 1) }
        return window.byte(at: position) ?? 0
    }

    private mutating func skip(_ count: UInt64) throws {
        guard count <= window.size - min(window.size, position) else {
            throw failure("ends inside a value of \(count) bytes")
        }
        position += count
    }

    private func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(window.path) \(what) at byte \(position)")
    }
}
