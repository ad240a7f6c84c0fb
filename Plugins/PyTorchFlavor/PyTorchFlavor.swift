public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Files of `torch.save` and `torch.jit.save`, told by their content: archives and the format before
/// torch 1.6. Only the pickle of the object is read, no storage.
public struct PyTorchFlavor: ModelFlavor {
    /// Most files that are looked at.
    static let mostFiles = 4_096

    public let descriptor = PluginDescriptor(name: "pytorch", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        for file in try await source.files().prefix(Self.mostFiles) {
            if try await Self.isLikely(ModelFile(file, in: source)) { return true }
        }
        return false
    }

    /// - Throws: `invalidArgument` naming the file when one is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files()
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var summary = TorchSummary()
        for file in files.prefix(Self.mostFiles) {
            let model = ModelFile(file, in: source)
            let prefix = try await model.upTo(4, at: 0)
            if ZIPArchive.isLikely(prefix), try await Self.isLikely(model) {
                // Only what is read: a storage is described by the pickle and the directory.
                let archive = try await ZIPArchive(reading: model) { !$0.name.contains("/data/") }
                guard let torch = TorchArchive(archive) else { continue }
                try await summary.add(torch, of: file)
            } else if let legacy = try await TorchLegacyFile(reading: model) {
                guard let object = legacy.object else {
                    throw model.failure(
                        "is no file of torch: "
                            + (legacy.scan.problems.first?.message ?? "it has no object"))
                }
                summary.add(object, of: file, format: "legacy")
            }
        }
        return summary.description
    }

    /// Whether a file begins like one of torch: with `NAME/data.pkl` or another entry of such an
    /// archive, or with torch's number.
    private static func isLikely(_ file: ModelFile) async throws -> Bool {
        let prefix = try await file.upTo(64, at: 0)
        guard ZIPArchive.isLikely(prefix) else {
            return try await TorchLegacyFile.isLikely(file)
        }
        guard let archive = try? await ZIPArchive(reading: file, entries: { _ in false }) else {
            return TorchArchive.endings.contains { file.path.lowercased().hasSuffix($0) }
        }
        return TorchArchive(archive) != nil
    }
}
