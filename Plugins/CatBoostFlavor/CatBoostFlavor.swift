public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Models that CatBoost saved, in its own format or as JSON.
public struct CatBoostFlavor: ModelFlavor {
    /// Most bytes that are read of a model of CatBoost's own format.
    static let mostBytesRead: UInt64 = 64 << 20
    /// Longest JSON model in bytes.
    static let mostJSONBytes = 64 << 20

    public let descriptor = PluginDescriptor(name: "catboost", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await !Self.models(in: source).isEmpty
    }

    /// - Throws: `invalidArgument` or `limitExceeded` naming the file when it is malformed or too
    ///   long.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let models = try await Self.models(in: source)
        guard let file = models.first else {
            throw LinajeError(.invalidArgument, "the model has no CatBoost file")
        }
        let model: CatBoostModel
        if try await Self.isBinary(source.read(file.path, offset: 0, length: 4)) {
            let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
            model = try await CatBoostCore(window).read()
        } else {
            let bytes = try await source.small(file.path, limit: Self.mostJSONBytes)
            model = try CatBoostJSON.read(bytes, name: file.path)
        }
        var description = model.description(path: file.path)
        for other in models.dropFirst() {
            description.files.append(ModelFileDescription(path: other.path, role: .weights))
            description.findings.append(
                Finding(
                    severity: .info, path: other.path,
                    message: "it is another CatBoost model, which is not described"))
        }
        return description
    }

    private static func models(in source: any ModelSource) async throws -> [ModelSourceFile] {
        let suffixes = [".cbm", ".cb", ".json", ".bin", ".model"]
        return try await FileCandidates.find(in: source, suffixes: suffixes, first: 64) { bytes in
            if isBinary(bytes) { return true }
            let text = bytes.filter { $0 > 0x20 }
            return ["{\"features_info\":{", "{\"ctr_data\":{"].contains {
                text.starts(with: Array($0.utf8))
            }
        }
    }

    private static func isBinary(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: Array("CBM1".utf8))
    }
}
