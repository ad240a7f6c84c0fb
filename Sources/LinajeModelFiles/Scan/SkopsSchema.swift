import LinajeDomain
import LinajePluginKit

/// The `schema.json` of a skops file: a tree of nodes, each with the type that it becomes (skops 0.16,
/// `io/_general.py`).
///
/// ```
/// node = {"__class__": "Pipeline", "__module__": "sklearn.pipeline", "__loader__": "ObjectNode",
///         "content": …, …}
/// ```
package struct SkopsSchema: Sendable {
    package static let path = "schema.json"
    /// Longest schema in bytes.
    package static let mostBytes = 32 << 20
    /// Most types.
    static let mostTypes = 4_096
    private static let mostDepth = 128

    package struct TypeName: Sendable, Hashable {
        package var module: String
        package var name: String
        /// Whether it is not made as it is but reached or called in another way.
        package var isReached: Bool
    }

    /// The types, each once, in the order of the file.
    package private(set) var types: [TypeName] = []
    private var seen: Set<TypeName> = []
    /// The type of the whole.
    package private(set) var root: TypeName?
    /// The versions that wrote it, by "_skops_version", "protocol".
    package private(set) var facts: [String: String] = [:]
    /// The text values of attributes: what stands under them as JSON.
    package private(set) var version = ""

    /// Loaders that make nothing but the type they name.
    private static let plain: Set<String> = [
        "DictNode", "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "BytesNode",
        "BytearrayNode", "SliceNode", "FunctionNode", "TypeNode", "ObjectNode", "JsonNode",
        "NdArrayNode", "MaskedArrayNode", "DTypeNode", "RandomStateNode", "RandomGeneratorNode",
        "SparseMatrixNode", "LossNode", "TreeNode", "CachedNode", "_DictWithDeprecatedKeysNode",
    ]

    /// - Throws: `invalidArgument` when it is no such JSON.
    package init(parsing bytes: [UInt8], name: String) throws {
        var reader = JSONReader(bytes, name: name, depth: Self.mostDepth)
        try walk(&reader, key: "")
        try reader.finish()
        guard !types.isEmpty else {
            throw LinajeError(.invalidArgument, "\(name) names no type")
        }
    }

    private mutating func walk(_ reader: inout JSONReader, key: String) throws {
        switch try reader.kind() {
        case .object: try node(&reader)
        case .array: try reader.array(limit: Int.max) { try walk(&$0, key: key) }
        default: try reader.skip()
        }
    }

    private mutating func node(_ reader: inout JSONReader) throws {
        var words: [String: String] = [:]
        var version: String?
        try reader.object(limit: Int.max) { key, reader in
            switch key {
            case "__class__", "__module__", "__loader__", "module_path", "function",
                "_skops_version":
                guard try reader.kind() == .string else { return try walk(&reader, key: key) }
                words[key] = try reader.string()
            case "_sklearn_version":
                version = try reader.raw()
            default: try walk(&reader, key: key)
            }
        }
        if let version { note(version: version) }
        if let text = words["_skops_version"] { facts["skops_version"] = text }
        if let module = words["__module__"] ?? words["module_path"],
            let name = words["__class__"] ?? words["function"]
        {
            let isPlain = words["__loader__"].map { Self.plain.contains($0) } ?? false
            let type = TypeName(module: module, name: name, isReached: !isPlain)
            // The outermost node ends last.
            root = type
            try note(type)
        } else if words["__class__"] != nil || words["__loader__"] != nil {
            try note(TypeName(module: "", name: words["__class__"] ?? "", isReached: true))
        }
        if let module = words["module_path"], let name = words["function"] {
            try note(TypeName(module: module, name: name, isReached: false))
        }
    }

    private mutating func note(_ type: TypeName) throws {
        guard seen.insert(type).inserted else { return }
        guard types.count < Self.mostTypes else {
            throw LinajeError(
                .limitExceeded, "schema.json names more than \(Self.mostTypes) types")
        }
        types.append(type)
    }

    /// `"_sklearn_version": {"content": "\"1.9.1\"", …}`
    private mutating func note(version raw: String) {
        guard version.isEmpty else { return }
        var reader = JSONReader(Array(raw.utf8), name: "schema.json")
        var found = ""
        try? reader.object(limit: 16) { key, reader in
            if key == "content", try reader.kind() == .string {
                found = try reader.string()
            } else {
                try reader.skip()
            }
        }
        version = found.filter { $0 != "\"" }
    }
}
