import LinajePluginKit

/// What MLflow noted of an XGBoost model beside it.
enum MLmodelLines {
    /// Longest MLmodel that is looked at, in bytes.
    private static let mostBytes = 1 << 20

    /// The class that MLflow loads the model as; `nil` when there is no MLmodel that says one.
    ///
    /// It stands on a line of its own, as MLflow writes it (mlflow/xgboost, `save_model`).
    static func modelClass(in source: any ModelSource) async throws -> String? {
        guard let file = try await source.files().first(where: { $0.path == "MLmodel" }),
            file.size <= UInt64(mostBytes)
        else { return nil }
        let text = String(
            decoding: try await source.small("MLmodel", limit: mostBytes), as: UTF8.self)
        let key = "model_class:"
        for line in text.split(separator: "\n") {
            let line = line.drop { $0 == " " }
            guard line.hasPrefix(key) else { continue }
            return String(line.dropFirst(key.count).filter { !" \r'\"".contains($0) })
        }
        return nil
    }
}
