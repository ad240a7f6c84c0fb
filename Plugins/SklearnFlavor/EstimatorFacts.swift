import LinajeModelFiles

/// What a pickled estimator says of itself: its class, and the attributes of its state
/// (scikit-learn 1.9, `base.py`, `BaseEstimator.__getstate__`).
struct EstimatorFacts {
    /// Most steps of a pipeline that are shown.
    private static let mostSteps = 50
    /// Most features or classes whose names are shown.
    private static let mostNames = 500
    /// Longest value that is shown.
    private static let mostValueBytes = 200

    var facts: [String: String] = [:]
    /// The version of scikit-learn that wrote it.
    var version = ""
    var bytes: UInt64 = 0

    init() {}

    /// - Returns: `nil` for an object that is no estimator.
    init?(_ root: PickleNode) {
        guard let name = Self.className(root) else { return nil }
        let attributes = Self.attributes(root)
        let isEstimator =
            name.hasPrefix("sklearn.") || attributes["_sklearn_version"] != nil
            || name.hasPrefix("lightgbm.sklearn.") || name.hasPrefix("xgboost.sklearn.")
        guard isEstimator, !attributes.isEmpty else { return nil }
        facts["class"] = name
        version = attributes["_sklearn_version"]?.text ?? ""
        let steps = Self.steps(attributes["steps"])
        if !steps.isEmpty {
            facts["steps"] = steps.map { "\($0.name): \($0.className)" }.joined(separator: ", ")
        }
        let inner = steps.isEmpty ? [attributes] : [attributes] + steps.map(\.attributes)
        for attributes in inner {
            if facts["n_features"] == nil {
                let count = attributes["n_features_in_"] ?? attributes["_n_features"]
                facts["n_features"] = count?.int.map { String($0) }
            }
            if facts["feature_names"] == nil {
                facts["feature_names"] = Self.list(attributes["feature_names_in_"])
            }
        }
        for attributes in inner.reversed() where facts["classes"] == nil {
            facts["classes"] = Self.list(attributes["classes_"] ?? attributes["_classes"])
        }
        for (key, value) in attributes where !key.hasPrefix("_") && !key.hasSuffix("_") {
            facts["param.\(key)"] = Self.shown(value)
        }
    }

    // MARK: Parts

    /// The class of an instance, whichever protocol it was written by.
    private static func className(_ node: PickleNode) -> String? {
        guard let maker = node.maker else { return nil }
        switch maker.path {
        case "copyreg._reconstructor", "copyreg.__newobj__":
            return node.arguments.first?.global?.path
        default: return maker.path
        }
    }

    /// The attributes of an instance, by name.
    private static func attributes(_ node: PickleNode) -> [String: PickleNode] {
        var state = node.state
        if let parts = state?.elements, parts.count == 2 { state = parts[0] }
        var out: [String: PickleNode] = [:]
        for (key, value) in state?.entries ?? [] {
            if let key = key.text { out[key] = value }
        }
        return out
    }

    private static func steps(
        _ node: PickleNode?
    ) -> [(name: String, className: String, attributes: [String: PickleNode])] {
        (node?.elements ?? []).prefix(mostSteps).compactMap { step in
            guard let parts = step.elements, parts.count == 2, let name = parts[0].text else {
                return nil
            }
            return (name, className(parts[1]) ?? parts[1].text ?? "?", attributes(parts[1]))
        }
    }

    private static func list(_ node: PickleNode?) -> String? {
        guard let names = node?.arrayTexts, names.count <= mostNames else { return nil }
        return names.joined(separator: ",")
    }

    /// A parameter as text; `nil` for what has none.
    private static func shown(_ node: PickleNode) -> String? {
        let text: String? =
            if node.isNone {
                "None"
            } else if let flag = node.bool {
                flag ? "True" : "False"
            } else {
                node.int.map { String($0) } ?? node.double.map { String($0) } ?? node.text
                    ?? node.global?.path ?? className(node)
            }
        return text.flatMap { $0.utf8.count <= mostValueBytes ? $0 : nil }
    }
}
