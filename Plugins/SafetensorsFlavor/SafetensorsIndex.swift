import LinajeDomain
import LinajePluginKit

/// The index of a model in several safetensors files: which tensor lies in which file.
///
/// ```
/// {"metadata": {"total_size": 123}, "weight_map": {"tensor name": "model-00001-of-2.safetensors"}}
/// ```
struct SafetensorsIndex: Sendable {
    /// Most tensors of one index.
    static let mostTensors = 1_000_000

    /// Where the index stands; names of files in it are relative to its folder.
    var path: String
    /// For each tensor, the path of its file.
    var files: [String: String] = [:]

    /// - Throws: `invalidArgument` naming the index.
    init(parsing bytes: [UInt8], path: String) throws {
        self.path = path
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        var files: [String: String] = [:]
        var hasMap = false
        var reader = JSONReader(bytes, name: path)
        do {
            try reader.object(limit: 1_000) { key, reader in
                guard key == "weight_map" else { return try reader.skip() }
                hasMap = true
                try reader.object(limit: Self.mostTensors) { tensor, reader in
                    files[tensor] = folder + (try reader.string())
                }
            }
            try reader.finish()
        } catch let error as LinajeError {
            throw LinajeError(.invalidArgument, error.message)
        }
        guard hasMap else {
            throw LinajeError(.invalidArgument, "\(path) has no weight_map")
        }
        self.files = files
    }
}
