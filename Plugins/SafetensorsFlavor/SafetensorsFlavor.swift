public import LinajeDomain
public import LinajePluginKit

/// Models whose weights are safetensors files, one or many with an index.
///
/// Only headers are read, so a model of any size is described at once.
public struct SafetensorsFlavor: ModelFlavor {
    /// Most safetensors files of one model.
    static let mostFiles = 4_096
    /// Longest index in bytes.
    static let mostIndexBytes = 16 << 20

    public let descriptor = PluginDescriptor(
        name: "safetensors", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await source.files().contains { Self.isWeights($0.path) }
    }

    /// - Throws: `invalidArgument` naming the file, and the tensor where there is one, when a
    ///   header is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files()
        let weights = files.filter { Self.isWeights($0.path) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        guard weights.count <= Self.mostFiles else {
            throw LinajeError(
                .limitExceeded,
                "model has \(weights.count) safetensors files; at most \(Self.mostFiles) are read")
        }
        var summary = SafetensorsSummary()
        for file in weights {
            summary.add(try await header(of: file, in: source), of: file)
        }
        for index in files where index.path.hasSuffix(".safetensors.index.json") {
            let bytes = try await source.small(index.path, limit: Self.mostIndexBytes)
            summary.compare(with: try SafetensorsIndex(parsing: bytes, path: index.path))
        }
        return summary.description
    }

    private func header(
        of file: ModelSourceFile, in source: any ModelSource
    ) async throws -> SafetensorsHeader {
        let prefix = try await source.read(file.path, offset: 0, length: 8)
        let length = try SafetensorsHeader.length(
            prefix: prefix, file: file.path, size: file.size)
        let bytes = try await source.read(file.path, offset: 8, length: length)
        guard bytes.count == length else {
            throw LinajeError(
                .invalidArgument, "\(file.path) ends inside its header of \(length) bytes")
        }
        return try SafetensorsHeader(parsing: bytes, file: file.path, size: file.size)
    }

    private static func isWeights(_ path: String) -> Bool { path.hasSuffix(".safetensors") }
}
