import LinajeDomain

/// Whether loading a model may run code that came with it.
enum CodeRisk {
    /// - Throws: `permissionDenied` saying what is in the model, unless that is allowed.
    static func check(_ model: ScoredModel, isAllowed: Bool) throws {
        guard let reason = reason(model.description), !isAllowed else { return }
        throw LinajeError(
            .permissionDenied,
            "\(model.name) is not loaded: \(reason); loading runs it with your rights. If you trust who "
                + "made it: --allow-code")
    }

    /// What speaks against loading it; `nil`: nothing.
    static func reason(_ description: ModelDescription) -> String? {
        let worst =
            description.findings.first { $0.severity == .danger }
            ?? description.findings.first { $0.severity == .warning }
        let why = worst.map { " (\($0.path.isEmpty ? "" : "\($0.path): ")\($0.message))" } ?? ""
        switch description.verdict {
        case .dangerous?: return "its verdict is dangerous\(why)"
        case .unknown?: return "its verdict is unknown\(why)"
        case .safe?, nil: break
        }
        if let code = description.files.first(where: { $0.role == .code }) {
            return "it brings a program of its own, \(code.path)"
        }
        if let generic = description.flavors.first(where: { $0.name == "python_function" }) {
            guard let loader = generic.facts["loader_module"] else {
                return "its MLmodel does not say what loads it"
            }
            if !known.contains(loader) { return "it is loaded by \(loader)" }
        }
        for flavor in description.flavors {
            if let code = flavor.facts["code"], code != "null" {
                return "it brings a program of its own, \(code)"
            }
        }
        return omission(description).map { "not all of it could be looked at (\($0))" }
    }

    /// What a description says that it leaves out, where that may be what speaks against a model.
    private static func omission(_ description: ModelDescription) -> String? {
        description.findings.map(\.message).first { message in
            message.hasPrefix("the description leaves out ")
                && [" facts", " flavors", " files"].contains { message.contains($0) }
        }
    }

    /// What loads models, as MLflow and Linaje name it, that itself runs nothing of the model's but
    /// what the verdict is of.
    private static let known: Set<String> = [
        "linaje.pyfunc", "mlflow.catboost", "mlflow.keras", "mlflow.lightgbm", "mlflow.onnx",
        "mlflow.prophet", "mlflow.pytorch", "mlflow.sentence_transformers", "mlflow.sklearn",
        "mlflow.spacy", "mlflow.statsmodels", "mlflow.tensorflow", "mlflow.transformers",
        "mlflow.xgboost",
    ]
}
