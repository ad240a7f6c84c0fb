import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// Bytes of configurations that are still read of one model.
struct KerasBudget {
    private var left: UInt64 = 64 << 20

    /// Whether a file may be begun. The length of what an archive holds shows later.
    func covers(_ file: KerasFile) -> Bool {
        file.kind == .configuration ? file.file.size <= left : left > 0
    }

    /// - Throws: `limitExceeded` naming the file when it is used up.
    mutating func take(_ bytes: UInt64, _ path: String) throws {
        guard bytes <= left else {
            throw LinajeError(
                .limitExceeded,
                "\(path) is not read: the model has more than 64 MiB of configurations")
        }
        left -= bytes
    }
}

/// A file of a model by which Keras may load it.
struct KerasFile {
    enum Kind: Hashable { case archive, hdf5, configuration }

    let kind: Kind
    let file: ModelSourceFile

    /// Longest metadata.json in bytes.
    private static let mostMetadataBytes = 1 << 20
    /// `load_model` takes a folder with such a file (keras-team/keras, `src/saving/saving_api.py`).
    private static let folderFile = "config.json"

    /// Whether Keras goes by the name of the file.
    var isNamed: Bool { kind != .configuration || Self.name(file.path) == Self.folderFile }

    /// What the file says; nothing when it is a configuration of something else.
    ///
    /// - Parameter sizes: Of the model's files, by path.
    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    func description(
        in source: any ModelSource, _ sizes: [String: UInt64], _ budget: inout KerasBudget
    ) async throws -> ModelDescription {
        switch kind {
        case .archive: try await KerasArchive(file, in: source, &budget).description
        case .hdf5: hdf5
        case .configuration: try await configuration(in: source, sizes, &budget)
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

    /// Whether a JSON file is worth taking apart: every config.json, and what names a class, be it in
    /// letters that are escaped, as nobody honest escapes them.
    private func mayBeConfiguration(_ bytes: [UInt8]) -> Bool {
        isNamed
            || ["\"class_name\"", "\\u005", "\\u006", "\\u007"].contains {
                ByteSearch.contains($0, in: bytes)
            }
    }

    private func configuration(
        in source: any ModelSource, _ sizes: [String: UInt64], _ budget: inout KerasBudget
    ) async throws -> ModelDescription {
        try budget.take(file.size, file.path)
        let bytes = try await source.small(file.path, limit: KerasFlavor.mostConfigBytes)
        guard mayBeConfiguration(bytes) else { return ModelDescription() }
        let root: JSONValue
        do {
            root = try JSONValue(
                parsing: bytes, name: file.path, depth: KerasConfiguration.mostDepth)
        } catch let error as LinajeError where !isNamed && error.code == .invalidArgument {
            return ModelDescription()
        }
        var config = KerasConfiguration(root, path: file.path)
        guard config.objects > 0 else { return ModelDescription() }
        var facts = config.facts
        var version = ""
        var memory: UInt64 = 0
        var files = [ModelFileDescription(path: file.path, role: .config)]
        facts["format"] = isNamed ? "folder" : "JSON"
        if isNamed {
            let folder = file.path.dropLast(Self.folderFile.count)
            do {
                version = try await Self.version("\(folder)metadata.json", in: source, sizes)
            } catch let error as LinajeError
                where error.code == .invalidArgument || error.code == .limitExceeded
            {
                config.note(.warning, error.message)
            }
            let weights = "\(folder)model.weights.h5"
            if let size = sizes[weights] {
                memory = size
                facts["weights_bytes"] = String(size)
                files.append(ModelFileDescription(path: weights, role: .weights))
            }
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
        _ path: String, in source: any ModelSource, _ sizes: [String: UInt64]
    ) async throws -> String {
        guard sizes[path] != nil else { return "" }
        let bytes = try await source.small(path, limit: mostMetadataBytes)
        return try JSONValue(parsing: bytes, name: path)["keras_version"]?.text ?? ""
    }

    private static func name(_ path: String) -> Substring {
        path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    }
}
