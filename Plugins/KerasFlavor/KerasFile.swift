import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// A file of a model by which Keras may load it.
struct KerasFile {
    enum Kind: Hashable { case archive, hdf5, configuration }

    let kind: Kind
    let file: ModelSourceFile

    /// Longest metadata.json in bytes.
    private static let mostMetadataBytes = 1 << 20
    private static let folderFile = "config.json"

    /// What the file says; nothing when it is a configuration of something else.
    ///
    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    func description(in source: any ModelSource) async throws -> ModelDescription {
        switch kind {
        case .archive: try await KerasArchive(file, in: source).description
        case .hdf5: hdf5
        case .configuration: try await configuration(in: source)
        }
    }

    /// What can be said of an HDF5 file without taking it apart. Whether it has code, the scan says.
    private var hdf5: ModelDescription {
        ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "keras", facts: ["format": "HDF5", "file_bytes": String(file.size)])
            ],
            files: [ModelFileDescription(path: file.path, role: .weights)])
    }

    // MARK: Configurations

    /// Whether a JSON file that begins so may be an object of Keras: every config.json, since
    /// `load_model` takes a folder with one (keras-team/keras, `src/saving/saving_api.py`), and what
    /// `to_json` writes.
    static func mayBeConfiguration(_ path: String, _ first: [UInt8]) -> Bool {
        if name(path) == folderFile { return true }
        let text = first.filter { $0 > 0x20 }
        return ["class_name", "module", "config"].contains { key in
            text.starts(with: Array("{\"\(key)\":".utf8))
        }
    }

    private func configuration(in source: any ModelSource) async throws -> ModelDescription {
        let bytes = try await source.small(file.path, limit: KerasFlavor.mostConfigBytes)
        let root = try JSONValue(
            parsing: bytes, name: file.path, depth: KerasConfiguration.mostDepth)
        guard root["class_name"]?.text != nil, root["config"]?.members != nil else {
            return ModelDescription()
        }
        let config = KerasConfiguration(root, path: file.path)
        var facts = config.facts
        var version = ""
        var memory: UInt64 = 0
        var files = [ModelFileDescription(path: file.path, role: .config)]
        if Self.name(file.path) == Self.folderFile {
            facts["format"] = "folder"
            let folder = file.path.dropLast(Self.folderFile.count)
            let others = try await source.files()
            if others.contains(where: { $0.path == folder + "metadata.json" }) {
                version = try await Self.version(folder + "metadata.json", in: source)
            }
            for other in others where other.path == folder + "model.weights.h5" {
                memory = other.size
                facts["weights_bytes"] = String(other.size)
                files.append(ModelFileDescription(path: other.path, role: .weights))
            }
        } else {
            facts["format"] = "JSON"
        }
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "keras", version: version,
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: config.signature, findings: config.findings, files: files,
            memoryBytes: memory, verdict: config.verdict)
    }

    private static func version(
        _ path: String, in source: any ModelSource
    ) async throws -> String {
        let bytes = try await source.small(path, limit: mostMetadataBytes)
        return try JSONValue(parsing: bytes, name: path)["keras_version"]?.text ?? ""
    }

    private static func name(_ path: String) -> Substring {
        path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    }
}
