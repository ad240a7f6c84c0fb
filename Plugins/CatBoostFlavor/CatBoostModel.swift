import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What is taken from a CatBoost model.
struct CatBoostModel {
    /// Most features of one kind.
    static let mostFeatures = 100_000

    /// A feature and where it stands among the columns.
    struct Feature {
        var name: String
        var column: Int64
        /// "double" or "string".
        var type: String
    }

    var format = ""
    var features: [Feature] = []
    /// Features by kind: "float", "categorical", "text".
    var counts: [String: Int] = [:]
    var trees = 0
    /// Values in a leaf.
    var dimensions: Int64 = 1
    var leaves: UInt64 = 0
    var bytes: UInt64 = 0
    /// What the model says of itself: "params", "model_guid", "catboost_version_info", ….
    var info: [String: JSONValue] = [:]
    var parts: [String] = []

    func description(path: String) -> ModelDescription {
        var facts: [String: String] = [:]
        facts["format"] = format
        facts["trees"] = String(trees)
        facts["dimensions"] = String(dimensions)
        facts["leaf_values"] = leaves > 0 ? String(leaves) : nil
        for (kind, count) in counts where count > 0 { facts["\(kind)_features"] = String(count) }
        facts["parts"] = parts.joined(separator: ",")
        let ordered = features.sorted { $0.column < $1.column }
        let names = ordered.map(\.name).filter { !$0.isEmpty }
        facts["feature_names"] =
            names.prefix(200).joined(separator: ",")
            + (names.count > 200 ? ",… (\(names.count))" : "")
        for key in ["model_guid", "train_finish_time"] { facts[key] = info[key]?.text }
        let parameters = info["params"]
        facts["objective"] = parameters?["loss_function"]?["type"]?.text
        facts["task_type"] = parameters?["task_type"]?.text
        for key in ["iterations", "learning_rate", "boosting_type"] {
            if let fact = parameters?["boosting_options"]?[key]?.fact {
                facts["parameter.\(key)"] = fact
            }
        }
        for key in ["depth", "l2_leaf_reg", "grow_policy"] {
            if let fact = parameters?["tree_learner_options"]?[key]?.fact {
                facts["parameter.\(key)"] = fact
            }
        }
        let classes = info["class_params"]?["class_names"]?.elements?.compactMap(\.fact) ?? []
        facts["classes"] = classes.prefix(100).joined(separator: ",")
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "catboost", version: version,
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: signature(ordered), parameters: leaves,
            files: [ModelFileDescription(path: path, role: .weights)], memoryBytes: bytes)
    }

    /// The release that wrote it: "CatBoost release 1.2.10" stands in a text about the build.
    private var version: String {
        guard let text = info["catboost_version_info"]?.text else { return "" }
        let words = text.split { $0.isWhitespace }
        guard let place = words.firstIndex(of: "release"), place + 1 < words.count else {
            return ""
        }
        // The sentence ends after it.
        var version = words[place + 1]
        if version.hasSuffix(".") { version = version.dropLast() }
        return version.allSatisfy { $0.isNumber || $0 == "." || $0 == "-" } ? String(version) : ""
    }

    private func signature(_ ordered: [Feature]) -> String {
        // Features of kinds that are not read leave gaps.
        guard !ordered.isEmpty,
            ordered.enumerated().allSatisfy({ Int64($0.offset) == $0.element.column })
        else { return "" }
        // Columns without names are called by their numbers.
        let areMadeUp = ordered.allSatisfy { $0.name.isEmpty || $0.name == String($0.column) }
        if areMadeUp {
            guard ordered.allSatisfy({ $0.type == "double" }) else { return "" }
            let shape = [-1, Int64(ordered.count)]
            let inputs = ModelSignature.Schema.tensors([.init(dtype: "float32", shape: shape)])
            return ModelSignature(inputs: inputs, outputs: nil).json
        }
        let columns = ordered.map {
            ModelSignature.Column(name: $0.name, type: $0.type)
        }
        return ModelSignature(inputs: .columns(columns), outputs: nil).json
    }
}
