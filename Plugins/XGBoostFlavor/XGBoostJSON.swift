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
        var reader = JSONReader(bytes, name: name, depth: mostDepth)
        var left = mostValues
        do {
            let root = try value(&reader, &left)
            try reader.finish()
            return root
        } catch let error as LinajeError {
            throw LinajeError(.invalidArgument, error.message)
        }
    }

    private static func value(_ reader: inout JSONReader, _ left: inout Int) throws -> JSONValue {
        left -= 1
        guard left >= 0 else { throw reader.failure("has more than \(mostValues) values") }
        switch try reader.kind() {
        case .object:
            var members: [JSONValue.Member] = []
            try reader.object(limit: mostValues) { key, reader in
                let value = key == "trees" ? try trees(&reader) : try value(&reader, &left)
                members.append(JSONValue.Member(key: key, value: value))
            }
            return .object(members)
        case .array:
            var elements: [JSONValue] = []
            try reader.array(limit: mostValues) { elements.append(try value(&$0, &left)) }
            return .array(elements)
        case .string: return .string(try reader.string())
        case .number: return .number(try reader.raw())
        case .bool: return .bool(try reader.raw() == "true")
        case .null:
            try reader.skip()
            return .null
        }
    }

    private static func trees(_ reader: inout JSONReader) throws -> JSONValue {
        var count = 0
        var nodes: Int64 = 0
        try reader.array(limit: mostTrees) { reader in
            count += 1
            try reader.object(limit: 256) { key, reader in
                guard key == "tree_param" else { return try reader.skip() }
                try reader.object(limit: 256) { key, reader in
                    guard key == "num_nodes" else { return try reader.skip() }
                    nodes = sum(nodes, Int64(try reader.string()))
                }
            }
        }
        return counts(count, nodes)
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
