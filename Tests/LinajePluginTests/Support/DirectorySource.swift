import Foundation
import LinajeDomain
import LinajePluginKit

/// The files below a directory, as a model.
struct DirectorySource: ModelSource {
    let root: String

    func files() async throws -> [ModelSourceFile] {
        try FileManager.default.subpathsOfDirectory(atPath: root).sorted().compactMap { path in
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")
            guard attributes[.type] as? FileAttributeType == .typeRegular else { return nil }
            let size = (attributes[.size] as? NSNumber)?.uint64Value ?? 0
            return ModelSourceFile(path: path, size: size)
        }
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: "\(root)/\(path)") else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        try file.seek(toOffset: offset)
        return Array(try file.read(upToCount: length) ?? Data())
    }

    /// All files in memory.
    func contents() async throws -> [String: [UInt8]] {
        var out: [String: [UInt8]] = [:]
        for file in try await files() {
            out[file.path] = try await read(file.path, offset: 0, length: Int(file.size))
        }
        return out
    }
}
