import LinajeDomain
import LinajePluginKit
import Yams

/// An `MLmodel` file (MLflow 3, `models/model.py`): YAML with the flavors, the signature and where
/// the model came from.
struct MLmodelFile: Sendable {
    /// What the file says under one flavor.
    struct Flavor: Sendable {
        var name: String
        /// Scalars as they are written; parts of maps by "outer.inner", lists as JSON.
        var facts: [String: String]
    }

    /// Keys of the whole model that become facts.
    static let factKeys = [
        "artifact_path", "databricks_runtime", "is_signature_from_type_hint", "metadata",
        "mlflow_version", "model_id", "model_size_bytes", "model_uuid", "run_id",
        "type_hint_from_example", "utc_time_created",
    ]

    /// Keys of a flavor that say what loads it and what of its own that runs (MLflow 3,
    /// `pyfunc/__init__.py`). No bound leaves them out.
    static let decidingKeys = ["loader_module", "code"]

    /// In the order of the file.
    var flavors: [Flavor] = []
    /// {"inputs", "outputs", "params"} as JSON, or empty.
    var signature = ""
    var facts: [String: String] = [:]
    /// The path of the input example, if there is one.
    var inputExample: String?
    var findings: [Finding] = []

    var mlflowVersion: String { facts["mlflow_version"] ?? "" }

    /// - Throws: `invalidArgument` when the file is no such YAML, `limitExceeded` when it has too
    ///   many parts.
    init(parsing bytes: [UInt8]) throws {
        var tree = try YAMLTree(parsing: bytes, name: "MLmodel")
        guard let root = tree.root.mapping else {
            throw LinajeError(.invalidArgument, "MLmodel is no YAML map")
        }
        for key in Self.factKeys {
            guard let node = root[Node(key)], !YAMLTree.isNull(node) else { continue }
            tree.flatten(node, as: key, into: &facts)
        }
        try readFlavors(root["flavors"], &tree)
        if let info = root["saved_input_example_info"]?.mapping {
            inputExample = info["artifact_path"]?.string
        }
        try readSignature(root["signature"])
        if tree.omitted > 0 {
            findings.append(
                Finding(
                    severity: .info, path: "MLmodel",
                    message:
                        "the description leaves out \(tree.omitted) facts, which are too long, "
                        + "too deep or too many"))
        }
    }

    private mutating func readFlavors(_ node: Node?, _ tree: inout YAMLTree) throws {
        guard let node else { return }
        guard let flavors = node.mapping else {
            throw LinajeError(.invalidArgument, "MLmodel: flavors is no map")
        }
        for (name, node) in flavors {
            guard let name = name.string else {
                throw LinajeError(.invalidArgument, "MLmodel: a flavor's name is no text")
            }
            var facts: [String: String] = [:]
            let members = (node.mapping ?? [:]).map { ($0.scalar?.string ?? "?", $1) }
            for (key, value) in members where Self.decidingKeys.contains(key) {
                facts[key] = YAMLTree.deciding(value)
            }
            for (key, value) in members where !Self.decidingKeys.contains(key) {
                tree.flatten(value, as: key, into: &facts)
            }
            self.flavors.append(Flavor(name: name, facts: facts))
        }
    }

    /// The values of a signature are JSON texts inside the YAML; they become one JSON object.
    private mutating func readSignature(_ node: Node?) throws {
        guard let node, !YAMLTree.isNull(node) else { return }
        guard let members = node.mapping else {
            throw LinajeError(.invalidArgument, "MLmodel: signature is no map")
        }
        var parts: [String] = []
        for key in ["inputs", "outputs", "params"] {
            guard let value = members[Node(key)], !YAMLTree.isNull(value) else {
                parts.append("\"\(key)\":null")
                continue
            }
            guard let text = value.string else {
                throw LinajeError(.invalidArgument, "MLmodel: signature \(key) is no JSON text")
            }
            var reader = JSONReader(Array(text.utf8), name: "MLmodel: signature \(key)")
            let json = try reader.raw()
            try reader.finish()
            parts.append("\"\(key)\":\(json)")
        }
        signature = "{\(parts.joined(separator: ","))}"
    }
}
