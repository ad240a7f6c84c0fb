import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What an XGBoost model says of itself (dmlc/xgboost, `doc/model.schema`).
struct XGBoostSummary {
    let description: ModelDescription

    /// - Throws: `invalidArgument` when it is no such model.
    init(_ root: JSONValue, path: String) throws {
        guard let learner = root["learner"], let booster = learner["gradient_booster"],
            let parameters = learner["learner_model_param"]
        else {
            throw LinajeError(
                .invalidArgument,
                "\(path) is no XGBoost model: it has no gradient_booster or learner_model_param")
        }
        let version = (root["version"]?.elements ?? []).prefix(3)
            .map { $0.integer.map(String.init) ?? "?" }.joined(separator: ".")
        let name = booster["name"]?.text ?? ""
        // DART holds its trees one level deeper.
        let model = booster["model"] ?? booster["gbtree"]?["model"]
        var facts: [String: String] = [:]
        facts["booster"] = name
        facts["objective"] = learner["objective"]?["name"]?.text
        for key in ["num_feature", "num_class", "num_target", "base_score", "boost_from_average"] {
            facts[key] = parameters[key]?.fact
        }
        facts["trees"] = model?["trees"]?["count"]?.fact
        facts["nodes"] = model?["trees"]?["nodes"]?.fact
        facts["parallel_trees"] = model?["gbtree_model_param"]?["num_parallel_tree"]?.fact
        facts["rounds"] =
            model?["iteration_indptr"]?.elements.map { String(max(0, $0.count - 1)) }
            ?? model?["boosted_rounds"]?.fact
        let names = learner["feature_names"]?.texts ?? []
        let types = learner["feature_types"]?.texts ?? []
        facts["feature_names"] = Self.list(names)
        facts["feature_types"] = Self.list(types)
        for member in learner["attributes"]?.members ?? [] where facts.count < 500 {
            if let fact = member.value.fact { facts["attribute.\(member.key)"] = fact }
        }
        var findings: [Finding] = []
        let said = model?["gbtree_model_param"]?["num_trees"]?.fact
        if let said, let trees = facts["trees"], said != trees {
            findings.append(
                Finding(
                    severity: .warning, path: path,
                    message: "it says it has \(said.prefix(40)) trees, but has \(trees)"))
        }
        let weights = model?["weights"]?.elements?.count ?? 0
        description = ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "xgboost", version: version,
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: Self.signature(
                names: names, types: types, parameters, objective: facts["objective"] ?? ""),
            parameters: UInt64(weights), findings: findings,
            files: [ModelFileDescription(path: path, role: .weights)],
            memoryBytes: UInt64(weights) * 4)
    }

    /// The first of many names, as one fact.
    private static func list(_ names: [String]) -> String {
        let text = names.prefix(200).joined(separator: ",")
        return names.count > 200 ? "\(text),… (\(names.count))" : text
    }

    /// XGBoost's own types of columns; a category has none in MLflow.
    private static let columnTypes = [
        "float": "double", "q": "double", "int": "long", "i": "boolean",
    ]

    private static func signature(
        names: [String], types: [String], _ parameters: JSONValue, objective: String
    ) -> String {
        let inputs: ModelSignature.Schema
        if names.isEmpty {
            guard let count = parameters["num_feature"]?.integer, count > 0 else { return "" }
            inputs = .tensors([.init(dtype: "float32", shape: [-1, count])])
        } else {
            var columns: [ModelSignature.Column] = []
            for (index, name) in names.enumerated() {
                let type = types.indices.contains(index) ? types[index] : "float"
                guard let column = columnTypes[type] else { return "" }
                columns.append(.init(name: name, type: column))
            }
            inputs = .columns(columns)
        }
        return ModelSignature(inputs: inputs, outputs: output(parameters, objective)).json
    }

    /// What `Booster.predict` returns, where the objective alone says it.
    private static func output(
        _ parameters: JSONValue, _ objective: String
    ) -> ModelSignature.Schema? {
        if let targets = parameters["num_target"]?.integer, targets > 1 {
            return .tensors([.init(dtype: "float32", shape: [-1, targets])])
        }
        let single = ["reg:", "binary:", "count:", "rank:", "survival:", "multi:softmax"]
        if objective == "multi:softprob", let classes = parameters["num_class"]?.integer {
            return .tensors([.init(dtype: "float32", shape: [-1, classes])])
        }
        guard single.contains(where: { objective.hasPrefix($0) }) else { return nil }
        return .tensors([.init(dtype: "float32", shape: [-1])])
    }
}
