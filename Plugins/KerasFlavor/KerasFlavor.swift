public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Keras models: the archives of Keras 3 (`.keras`), the same unpacked, architectures as JSON, and the
/// HDF5 files of before, which are only recognised.
///
/// A configuration names classes and functions that Keras looks up while it loads; what is not
/// Keras' own is told, and what has led to code being run is a danger (CVE-2024-3660,
/// CVE-2025-1550, CVE-2025-8747, CVE-2025-9906, CVE-2025-12058).
public struct KerasFlavor: ModelFlavor {
    /// Longest configuration in bytes.
    static let mostConfigBytes = 32 << 20
    /// Most files of one model that are described.
    static let mostFiles = 1_000

    public let descriptor = PluginDescriptor(name: "keras", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        try await describeIfRecognized(source) ?? ModelDescription()
    }

    /// A file that is malformed is a finding and hides no other: a loader may read it otherwise, so an
    /// archive is dangerous then, and a configuration, which may be another program's, unknown.
    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        let files = try await Self.models(in: source)
        var whole = ModelDescription()
        for file in files.prefix(Self.mostFiles) {
            do {
                whole.merge(try await file.description(in: source))
            } catch let error as LinajeError
                where error.code == .invalidArgument || error.code == .limitExceeded
            {
                let isDangerous = file.kind == .archive && error.code == .invalidArgument
                whole.merge(
                    ModelDescription(
                        findings: [
                            Finding(
                                severity: isDangerous ? .danger : .warning, path: file.file.path,
                                message: "keras: \(error.message)")
                        ],
                        verdict: isDangerous ? .dangerous : .unknown))
            }
        }
        if files.count > Self.mostFiles {
            whole.merge(
                ModelDescription(
                    findings: [
                        Finding(
                            severity: .warning,
                            message: "\(Self.mostFiles) of \(files.count) files that may be Keras "
                                + "models were looked at")
                    ],
                    verdict: .unknown))
        }
        return whole == ModelDescription() ? nil : whole
    }

    /// What may be a model, by path.
    ///
    /// Weights alone, which only code that knows the architecture can load, are no Keras model.
    private static func models(in source: any ModelSource) async throws -> [KerasFile] {
        var models = try await FileCandidates.find(
            in: source, suffixes: [".keras"], first: 4, ZIPArchive.isLikely
        ).map { KerasFile(kind: .archive, file: $0) }
        models += try await FileCandidates.find(
            in: source, suffixes: [".keras", ".h5", ".hdf5"], first: 8
        ) { $0 == HDF5Scan.magic }
        .filter { !$0.path.hasSuffix(".weights.h5") && !$0.path.hasSuffix("tf_model.h5") }
        .map { KerasFile(kind: .hdf5, file: $0) }
        models += try await FileCandidates.find(
            in: source, suffixes: [".json"], first: 64, KerasFile.mayBeConfiguration
        ).map { KerasFile(kind: .configuration, file: $0) }
        return models.sorted { $0.file.path.utf8.lexicographicallyPrecedes($1.file.path.utf8) }
    }
}
