import LinajeDomain
import LinajeModelFiles

/// A file with an estimator.
struct EstimatorFile {
    /// Longest skops schema that is read.
    static let mostSchemaBytes = 32 << 20

    let description: ModelDescription

    /// - Returns: `nil` when the file holds none.
    /// - Throws: when the bytes cannot be had. A file that is damaged is none of an estimator.
    init?(reading file: ModelFile) async throws {
        let prefix = try await file.upTo(16, at: 0)
        let found: EstimatorFacts?
        do {
            if ZIPArchive.isLikely(prefix) {
                found = try await Self.skops(file)
            } else if let input = Self.input(file, prefix) {
                found = try await Self.pickle(input, file)
            } else {
                found = nil
            }
        } catch let error as LinajeError
            where error.code == .invalidArgument || error.code == .limitExceeded
        {
            return nil
        }
        guard let found else { return nil }
        description = ModelDescription(
            flavors: [
                FlavorDescription(name: "sklearn", version: found.version, facts: found.facts)
            ],
            files: [ModelFileDescription(path: file.path, role: .weights)],
            memoryBytes: found.bytes)
    }

    private static func input(_ file: ModelFile, _ prefix: [UInt8]) -> PickleInput? {
        guard prefix.count > 2 else { return nil }
        if prefix[0] == 0x80, prefix[1] <= 5 { return PickleInput(file) }
        if prefix[0] == 0x1f, prefix[1] == 0x8b { return PickleInput(unpacking: file, .gzip) }
        if prefix[0] == 0x78, (Int(prefix[0]) << 8 | Int(prefix[1])).isMultiple(of: 31) {
            return PickleInput(unpacking: file, .zlib)
        }
        // Protocols 0 and 1 begin with the function that makes objects.
        let isOld =
            prefix.starts(with: "ccopyreg\n".utf8) || prefix.starts(with: "ccopy_reg\n".utf8)
        return isOld ? PickleInput(file) : nil
    }

    private static func pickle(_ input: PickleInput, _ file: ModelFile) async throws
        -> EstimatorFacts?
    {
        var reader = PickleReader(input)
        let report = try await reader.next()
        guard report.isWhole, var facts = EstimatorFacts(report.root) else { return nil }
        facts.bytes = report.range.upperBound - report.range.lowerBound
        let isJoblib = report.globals.contains { $0.module == "joblib.numpy_pickle" }
        let isCloud = report.globals.contains { $0.module.hasPrefix("cloudpickle") }
        facts.facts["serialization_format"] =
            isJoblib || report.range.upperBound > file.size
            ? "joblib" : isCloud ? "cloudpickle" : "pickle"
        facts.facts["pickle_protocol"] = String(report.protocolVersion)
        return facts
    }

    private static func skops(_ file: ModelFile) async throws -> EstimatorFacts? {
        let archive = try await ZIPArchive(reading: file) { $0.name == SkopsSchema.path }
        guard let entry = archive.entry(SkopsSchema.path) else { return nil }
        let bytes = try await archive.content(of: entry, limit: mostSchemaBytes)
        let schema = try SkopsSchema(parsing: bytes, name: "\(file.path): schema.json")
        var facts = EstimatorFacts()
        facts.version = schema.version
        facts.facts = schema.facts
        facts.facts["serialization_format"] = "skops"
        if let root = schema.root {
            facts.facts["class"] = "\(root.module).\(root.name)"
        }
        facts.facts["types"] = schema.types.map { "\($0.module).\($0.name)" }.sorted()
            .joined(separator: ",")
        facts.bytes = archive.entries.reduce(UInt64(0)) { $0 &+ $1.size }
        return facts
    }
}
