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
    /// Most files of one model that are looked into.
    static let mostFiles = 2_000

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
        guard !files.isEmpty else { return nil }
        let sizes = Dictionary(
            try await source.files().map { ($0.path, $0.size) },
            uniquingKeysWith: { _, last in last })
        var budget = KerasBudget()
        var whole = ModelDescription()
        var unread = 0
        for (place, file) in files.enumerated() {
            guard place < Self.mostFiles, budget.covers(file) else {
                unread += file.isNamed ? 1 : 0
                continue
            }
            do {
                whole.merge(try await file.description(in: source, sizes, &budget))
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
        if unread > 0 {
            whole.merge(
                ModelDescription(
                    findings: [
                        Finding(
                            severity: .warning,
                            message:
                                "\(unread) of \(files.count) files that may be of Keras models "
                                + "were not looked into: too many, or too long")
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
        models += try await source.files().filter { $0.path.lowercased().hasSuffix(".json") }
            .map { KerasFile(kind: .configuration, file: $0) }
        // What Keras goes by comes first, so that no other file uses up what is read.
        return models.sorted { left, right in
            guard left.isNamed == right.isNamed else { return left.isNamed }
            return left.file.path.utf8.lexicographicallyPrecedes(right.file.path.utf8)
        }
    }
}
