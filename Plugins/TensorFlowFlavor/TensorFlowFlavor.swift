public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// TensorFlow's SavedModels: signatures, operations and variables.
///
/// A SavedModel is a program. Operations that run Python or touch files are dangers.
public struct TensorFlowFlavor: ModelFlavor {
    /// The file that makes a folder a SavedModel.
    static let fileName = "saved_model.pb"
    /// Most SavedModels in one model.
    static let mostModels = 16
    /// Most bytes that are read of one file; constants do not count.
    static let mostBytesRead: UInt64 = 256 << 20

    public let descriptor = PluginDescriptor(name: "tensorflow", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await source.files().contains { Self.isModel($0.path) }
    }

    /// - Throws: `invalidArgument` naming the file and the place when one is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files()
        let models = files.filter { Self.isModel($0.path) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        guard models.count <= Self.mostModels else {
            throw LinajeError(
                .limitExceeded,
                "model has \(models.count) SavedModels; at most \(Self.mostModels) are read")
        }
        var whole = ModelDescription()
        for file in models {
            let window = FileWindow(file, in: source, budget: Self.mostBytesRead)
            var reader = SavedModelReader(ProtobufReader(window))
            try await reader.read()
            var summary = SavedModelSummary(reader.model, file: file, files: files)
            if let index = summary.variablesIndex(in: files) {
                do {
                    let window = FileWindow(index, in: source, budget: VariablesIndex.mostBytes)
                    summary.add(try await VariablesIndex(window).read(), of: index.path)
                } catch let error as LinajeError where error.code == .invalidArgument {
                    summary.note(.warning, index.path, error.message)
                }
            }
            whole.merge(summary.description)
        }
        return whole
    }

    private static func isModel(_ path: String) -> Bool {
        path == fileName || path.hasSuffix("/\(fileName)")
    }
}
