public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Models that LightGBM saved as text (lightgbm-org/LightGBM, `src/boosting/gbdt_model_text.cpp`).
///
/// What stands before and after the trees is read; the trees are skipped by the sizes that stand
/// before them.
public struct LightGBMFlavor: ModelFlavor {
    public let descriptor = PluginDescriptor(name: "lightgbm", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await !Self.models(in: source).isEmpty
    }

    /// - Throws: `invalidArgument` naming the file when it is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let models = try await Self.models(in: source)
        guard let file = models.first else {
            throw LinajeError(.invalidArgument, "the model has no LightGBM file")
        }
        var model = try await LightGBMText(file, in: source).description
        for other in models.dropFirst() {
            model.files.append(ModelFileDescription(path: other.path, role: .weights))
            model.findings.append(
                Finding(
                    severity: .info, path: other.path,
                    message: "it is another LightGBM model, which is not described"))
        }
        return model
    }

    /// What predicts as the library does; `nil` for what `LightGBMModel` does not know, for files
    /// that are too large, and where more than one could be the model.
    ///
    /// - Throws: `invalidArgument` naming the file when it is malformed.
    public func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? {
        let models = try await Self.models(in: source)
        // Which of several is the model, only the library's user knows.
        guard let file = models.first, models.count == 1, file.size <= LightGBMModel.mostBytes
        else { return nil }
        let bytes = try await ModelFile(file, in: source).bytes(at: 0, Int(file.size))
        do {
            return try LightGBMModel(bytes, path: file.path).scorer()
        } catch let error as LinajeError where error.code == .limitExceeded {
            return nil
        }
    }

    private static func models(in source: any ModelSource) async throws -> [ModelSourceFile] {
        let suffixes = [".txt", ".lgb", ".lgbm", ".model"]
        return try await FileCandidates.find(in: source, suffixes: suffixes, first: 64) { bytes in
            let lines = bytes.filter { $0 != 0x0d }
            return lines.starts(with: Array("tree\nversion=v".utf8))
        }
    }
}
