public import LinajeDomain
public import LinajePluginKit

/// Models in GGUF files, one or split into many: what llama.cpp and its kin run.
///
/// Only headers are read, so a model of any size is described at once.
public struct GGUFFlavor: ModelFlavor {
    /// Most GGUF files of one model.
    static let mostFiles = 1_024
    /// What is read of a file at first, in bytes.
    static let firstBytes = 64 << 10

    public let descriptor = PluginDescriptor(name: "gguf", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await source.files().contains { Self.isWeights($0.path) }
    }

    /// - Throws: `invalidArgument` naming the file, and the key or the tensor where there is one,
    ///   when a header is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files().filter { Self.isWeights($0.path) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        guard files.count <= Self.mostFiles else {
            throw LinajeError(
                .limitExceeded,
                "model has \(files.count) GGUF files; at most \(Self.mostFiles) are read")
        }
        var summary = GGUFSummary()
        for file in files {
            summary.add(try await Self.header(of: file, in: source), of: file)
        }
        return summary.description
    }

    /// The header of a file; what is read of it doubles until the header is whole.
    static func header(
        of file: ModelSourceFile, in source: any ModelSource
    ) async throws -> GGUFHeader {
        var bytes: [UInt8] = []
        var wanted = UInt64(firstBytes)
        while true {
            let count = Int(min(wanted, file.size, GGUFHeader.mostHeaderBytes)) - bytes.count
            let more = try await source.read(
                file.path, offset: UInt64(bytes.count), length: max(0, count))
            bytes += more.prefix(max(0, count))
            guard more.count >= count else {
                throw LinajeError(
                    .invalidArgument,
                    "\(file.path) ends at byte \(bytes.count), but its size is \(file.size)")
            }
            do {
                return try GGUFHeader(parsing: bytes, file: file.path, size: file.size)
            } catch let short as GGUFCursor.Short {
                guard short.bytes <= GGUFHeader.mostHeaderBytes else {
                    throw LinajeError(
                        .invalidArgument,
                        "\(file.path) has a header of more than \(GGUFHeader.mostHeaderBytes) bytes"
                    )
                }
                wanted = max(short.bytes, UInt64(bytes.count) * 2)
            }
        }
    }

    private static func isWeights(_ path: String) -> Bool {
        path.lowercased().hasSuffix(".gguf")
    }
}
