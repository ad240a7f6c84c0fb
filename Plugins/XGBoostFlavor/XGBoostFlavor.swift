public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Models that XGBoost saved as JSON or UBJSON (dmlc/xgboost, `doc/tutorials/saving_model.rst`).
///
/// The trees are counted, not kept. XGBoost's older binary format cannot be told from other bytes
/// and no longer be loaded; it is not recognised.
public struct XGBoostFlavor: ModelFlavor {
    /// Longest JSON model in bytes.
    static let mostJSONBytes = 64 << 20
    /// Most bytes that are read of a UBJSON model.
    static let mostBytesRead: UInt64 = 256 << 20

    public let descriptor = PluginDescriptor(name: "xgboost", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await !Self.models(in: source).isEmpty
    }

    /// - Throws: `invalidArgument` or `limitExceeded` naming the file when it is malformed or too
    ///   long.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let models = try await Self.models(in: source)
        guard let file = models.first else {
            throw LinajeError(.invalidArgument, "the model has no XGBoost file")
        }
        let root: JSONValue
        if try await Self.isBinary(source.read(file.path, offset: 0, length: 2)) {
            let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
            root = try await UBJReader(window).read()
        } else {
            let bytes = try await source.small(file.path, limit: Self.mostJSONBytes)
            root = try XGBoostJSON.read(bytes, name: file.path)
        }
        var model = try XGBoostSummary(root, path: file.path).description
        for other in models.dropFirst() {
            model.files.append(ModelFileDescription(path: other.path, role: .weights))
            model.findings.append(
                Finding(
                    severity: .info, path: other.path,
                    message: "it is another XGBoost model, which is not described"))
        }
        return model
    }

    /// What predicts as the library does; `nil` for what `XGBoostModel` does not know, for files
    /// that are too large, and where more than one could be the model.
    ///
    /// - Throws: `invalidArgument` naming the file when it is malformed.
    public func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? {
        let models = try await Self.models(in: source)
        // Which of several is the model, only the library's user knows.
        guard let file = models.first, models.count == 1 else { return nil }
        do {
            let model: XGBoostModel
            if try await Self.isBinary(source.read(file.path, offset: 0, length: 2)) {
                let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
                let (root, trees) = try await UBJReader(window, keepsTrees: true).readAll()
                model = XGBoostModel(root: root, trees: trees, path: file.path)
            } else {
                let bytes = try await source.small(file.path, limit: Self.mostJSONBytes)
                var trees: [XGBoostTree]? = []
                let root = try XGBoostJSON.read(bytes, name: file.path, trees: &trees)
                model = XGBoostModel(root: root, trees: trees ?? [], path: file.path)
            }
            return try model.scorer(of: try await MLmodelLines.modelClass(in: source))
        } catch let error as LinajeError where error.code == .limitExceeded {
            return nil
        }
    }

    /// XGBoost writes its keys in order, so that "learner" is the first.
    private static func models(in source: any ModelSource) async throws -> [ModelSourceFile] {
        let suffixes = [".json", ".ubj", ".xgb", ".model", ".bst"]
        return try await FileCandidates.find(in: source, suffixes: suffixes, first: 64) { bytes in
            let key = isBinary(bytes) ? Array("{L\0\0\0\0\0\0\0\u{7}learner{".utf8) : nil
            if let key { return bytes.starts(with: key) }
            let text = bytes.filter { $0 > 0x20 }
            return text.starts(with: Array("{\"learner\":{".utf8))
        }
    }

    private static func isBinary(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [UInt8(ascii: "{"), UInt8(ascii: "L")])
    }
}
