public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Models in ONNX files.
///
/// The protobuf is walked without its weights, which are skipped where they lie. Files that tensors
/// name as the place of their data are only looked up in the list of the model's files, never
/// opened (CVE-2022-25882, CVE-2024-27318, CVE-2026-34447).
public struct ONNXFlavor: ModelFlavor {
    /// Most ONNX files of one model.
    static let mostFiles = 64
    /// Most bytes that are read of one file. Weights do not count, trees of forests do.
    static let mostBytesRead: UInt64 = 256 << 20

    public let descriptor = PluginDescriptor(name: "onnx", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await source.files().contains { Self.isModel($0.path) }
    }

    /// - Throws: `invalidArgument` naming the file and the place when one is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files()
        let models = files.filter { Self.isModel($0.path) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        guard models.count <= Self.mostFiles else {
            throw LinajeError(
                .limitExceeded,
                "model has \(models.count) ONNX files; at most \(Self.mostFiles) are read")
        }
        var summary = ONNXSummary(files: files, isAlone: models.count == 1)
        for file in models {
            let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
            var reader = ONNXReader(ProtobufReader(window))
            try await reader.read()
            summary.add(reader.model, of: file)
        }
        return summary.description
    }

    /// What computes the graph where all its nodes are known; `nil` else, for more than one file
    /// and for weights in other files.
    ///
    /// - Throws: `invalidArgument` naming the file when it is malformed.
    public func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? {
        let models = try await source.files().filter { Self.isModel($0.path) }
        guard let file = models.first, models.count == 1 else { return nil }
        do {
            let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
            var summary = ONNXReader(ProtobufReader(window))
            try await summary.read()
            guard summary.model.externals.isEmpty, summary.model.functions.isEmpty else {
                return nil
            }
            let again = FileWindow(file, in: source, budget: Self.mostBytesRead)
            var reader = ONNXGraphReader(ProtobufReader(again))
            guard let graph = try await reader.read() else { return nil }
            return try ONNXCompiler.scorer(graph, of: summary.model, path: file.path)
        } catch let error as LinajeError where error.code == .limitExceeded {
            return nil
        }
    }

    private static func isModel(_ path: String) -> Bool { path.lowercased().hasSuffix(".onnx") }
}
