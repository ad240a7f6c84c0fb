import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// An XGBoost model as JSON, read without keeping its trees: in the place of "trees" stands an
/// object with how many there are ("count") and how many nodes they have ("nodes").
enum XGBoostJSON {
    /// Most trees.
    static let mostTrees = 1_000_000
    /// Most values that are kept.
    static let mostValues = 1_000_000
    /// Deepest nesting.
    static let mostDepth = 24

    static func read(_ bytes: [UInt8], name: String) throws -> JSONValue {
        var trees: [XGBoostTree]?
        return try read(bytes, name: name, trees: &trees)
    }

    /// The same, and the trees where `trees` is not `nil`.
    ///
    /// - Throws: `limitExceeded` when they have more nodes than are scored.
    static func read(
        _ bytes: [UInt8], name: String, trees: inout [XGBoostTree]?
    ) throws -> JSONValue {
        var reader = JSONReader(bytes, name: name, depth: mostDepth)
        var left = mostValues
        var kept = XGBoostTreeList(trees: trees)
        do {
            let root = try value(&reader, &left, &kept)
            try reader.finish()
            trees = kept.trees
            return root
        } catch let error as LinajeError {
            throw kept.isFull ? error : LinajeError(.invalidArgument, error.message)
        }
    }

    private static func value(
        _ reader: inout JSONReader, _ left: inout Int, _ kept: inout XGBoostTreeList
    ) throws -> JSONValue {
        left -= 1
        guard left >= 0 else { throw reader.failure("has more than \(mostValues) values") }
        switch try reader.kind() {
        case .object:
            var members: [JSONValue.Member] = []
            try reader.object(limit: mostValues) { key, reader in
                let value =
                    key == "trees"
                    ? try trees(&reader, &kept) : try value(&reader, &left, &kept)
                members.append(JSONValue.Member(key: key, value: value))
            }
            return .object(members)
        case .array:
            var elements: [JSONValue] = []
            try reader.array(limit: mostValues) { elements.append(try value(&$0, &left, &kept)) }
            return .array(elements)
        case .string: return .string(try reader.string())
        case .number: return .number(try reader.raw())
        case .bool: return .bool(try reader.raw() == "true")
        case .null:
            try reader.skip()
            return .null
        }
    }

    private static func trees(
        _ reader: inout JSONReader, _ kept: inout XGBoostTreeList
    ) throws -> JSONValue {
        var count = 0
        var nodes: Int64 = 0
        try reader.array(limit: mostTrees) { reader in
            count += 1
            var tree = XGBoostTree()
            try reader.object(limit: 256) { key, reader in
                if kept.trees != nil, XGBoostTree.keys.contains(key) {
                    guard tree.take(key, try numbers(&reader, key)) else {
                        throw reader.failure("has a tree with damaged \(key)")
                    }
                    return
                }
                guard key == "tree_param" else { return try reader.skip() }
                try reader.object(limit: 256) { key, reader in
                    switch key {
                    case "num_nodes": nodes = sum(nodes, Int64(try reader.string()))
                    case "size_leaf_vector" where kept.trees != nil:
                        tree.leafWidth = Int64(try reader.string()) ?? 0
                    default: try reader.skip()
                    }
                }
            }
            try kept.append(tree)
        }
        return counts(count, nodes)
    }

    /// A column of a tree; older versions write true and false.
    private static func numbers(_ reader: inout JSONReader, _ key: String) throws -> [Double] {
        var numbers: [Double] = []
        try reader.array(limit: XGBoostTreeList.mostNodes) { reader in
            let kind = try reader.kind()
            let text = try reader.raw()
            switch kind {
            case .bool: numbers.append(text == "true" ? 1 : 0)
            case .number where key == "split_conditions":
                // They are float32: read as such, they are rounded once.
                numbers.append(Double(Float(text) ?? .nan))
            case .number: numbers.append(Double(text) ?? .nan)
            default: throw reader.failure("has a tree with \(key) that are no numbers")
            }
        }
        return numbers
    }

    /// What stands in the place of the trees.
    static func counts(_ count: Int, _ nodes: Int64) -> JSONValue {
        .object([
            JSONValue.Member(key: "count", value: .number(String(count))),
            JSONValue.Member(key: "nodes", value: .number(String(nodes))),
        ])
    }

    static func sum(_ left: Int64, _ right: Int64?) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(max(0, right ?? 0))
        return overflow ? .max : sum
    }
}
