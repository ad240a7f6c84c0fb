public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Keras models: the archives of Keras 3 (`.keras`), and the HDF5 files of before, which are only
/// recognised.
///
/// A configuration names classes and functions that Keras looks up while it loads; what is not
/// Keras' own is told, and what has led to code being run is a danger (CVE-2024-3660,
/// CVE-2025-1550, CVE-2025-8747, CVE-2025-9906, CVE-2025-12058).
public struct KerasFlavor: ModelFlavor {
    /// Longest configuration in bytes.
    static let mostConfigBytes = 32 << 20
    /// Most files of one model.
    static let mostFiles = 32
    /// How much of an HDF5 file is searched, in bytes.
    static let mostSearchedBytes = 8 << 20
    private static let hdf5: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

    public let descriptor = PluginDescriptor(name: "keras", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await !Self.models(in: source).isEmpty
    }

    /// - Throws: `invalidArgument` or `limitExceeded` naming the file when one is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let models = try await Self.models(in: source)
        guard models.count <= Self.mostFiles else {
            throw LinajeError(
                .limitExceeded,
                "model has \(models.count) Keras files; at most \(Self.mostFiles) are read")
        }
        var whole = ModelDescription()
        for file in models {
            let first = try await source.read(file.path, offset: 0, length: 8)
            if first == Self.hdf5 {
                whole.merge(try await Self.legacy(file, in: source))
            } else {
                whole.merge(try await KerasArchive(file, in: source).description)
            }
        }
        return whole
    }

    /// Weights alone, which only code that knows the architecture can load, are no Keras model.
    private static func models(in source: any ModelSource) async throws -> [ModelSourceFile] {
        let suffixes = [".keras", ".h5", ".hdf5"]
        let found = try await FileCandidates.find(in: source, suffixes: suffixes, first: 8) {
            $0 == hdf5 || ZIPArchive.isLikely($0)
        }
        return found.filter { file in
            !file.path.hasSuffix(".weights.h5") && !file.path.hasSuffix("tf_model.h5")
        }
    }

    /// What can be said of an HDF5 file without taking it apart.
    private static func legacy(
        _ file: ModelSourceFile, in source: any ModelSource
    ) async throws -> ModelDescription {
        var findings = [
            Finding(
                severity: .warning, path: file.path,
                message: "it is an HDF5 file, which is not looked into; save it as .keras")
        ]
        var verdict = ScanVerdict.unknown
        let length = Int(min(file.size, UInt64(mostSearchedBytes)))
        let bytes = try await source.read(file.path, offset: 0, length: length)
        for name in ["\"Lambda\"", "\"__lambda__\"", "\"TorchModuleWrapper\"", "\"TFSMLayer\""]
        where ByteSearch.contains(name, in: bytes) {
            verdict = .dangerous
            findings.append(
                Finding(
                    severity: .danger, path: file.path,
                    message: "its configuration has \(name), by which loading it runs code"))
        }
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "keras", facts: ["format": "HDF5", "file_bytes": String(file.size)])
            ],
            findings: findings, files: [ModelFileDescription(path: file.path, role: .weights)],
            verdict: verdict)
    }
}
