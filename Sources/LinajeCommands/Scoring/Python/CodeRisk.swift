import LinajeDomain

/// Whether loading a model may run code that came with it.
enum CodeRisk {
    /// - Throws: `permissionDenied` saying what is in the model, unless that is allowed.
    static func check(_ model: ScoredModel, isAllowed: Bool) throws {
        guard let reason = reason(model), !isAllowed else { return }
        throw LinajeError(
            .permissionDenied,
            "\(model.name) is not loaded: \(reason); loading runs it with your rights. If you trust who "
                + "made it: --allow-code")
    }

    /// What speaks against loading it; `nil`: nothing.
    private static func reason(_ model: ScoredModel) -> String? {
        let description = model.description
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
        let generic = model.facts("python_function")
        if let loader = generic["loader_module"], !known.contains(loader) {
            return "it is loaded by \(loader)"
        }
        for (name, value) in description.flavors.flatMap({ $0.facts.map { ($0.key, $0.value) } })
        where name == "code" && value != "null" {
            return "it brings a program of its own, \(value)"
        }
        return nil
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
