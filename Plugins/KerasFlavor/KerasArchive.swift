import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// A `.keras` archive (keras-team/keras, `src/saving/saving_lib.py`): `metadata.json`,
/// `config.json`, and the weights as HDF5, which stay opaque.
struct KerasArchive {
    let description: ModelDescription

    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    init(
        _ file: ModelSourceFile, in source: any ModelSource, _ budget: inout KerasBudget
    ) async throws {
        let archive = try await ZIPArchive(reading: ModelFile(file, in: source))
        guard let configEntry = archive.entry("config.json") else {
            throw LinajeError(
                .invalidArgument, "\(file.path) has no config.json: it is no Keras model")
        }
        try budget.take(configEntry.size, file.path)
        let bytes = try await archive.content(
            of: configEntry, limit: KerasFlavor.mostConfigBytes)
        let name = "config.json of \(file.path)"
        var config = KerasConfiguration(
            try JSONValue(parsing: bytes, name: name, depth: KerasConfiguration.mostDepth),
            path: file.path)
        if config.className == nil { config.note(.danger, "its configuration names no class") }
        for problem in archive.problems.prefix(100) { config.note(.danger, problem) }
        var metadata: JSONValue?
        if let entry = archive.entry("metadata.json") {
            do {
                let bytes = try await archive.content(of: entry, limit: 1 << 20)
                metadata = try JSONValue(parsing: bytes, name: "metadata.json of \(file.path)")
            } catch let error as LinajeError
                where error.code == .invalidArgument || error.code == .limitExceeded
            {
                config.note(.warning, error.message)
            }
        }
        var facts = config.facts
        facts["format"] = "keras"
        facts["date_saved"] = metadata?["date_saved"]?.text
        var weights: UInt64 = 0
        for entry in archive.entries where entry.name.hasSuffix(".h5") {
            weights = weights.addingReportingOverflow(entry.size).partialValue
        }
        facts["weights_bytes"] = weights > 0 ? String(weights) : nil
        if archive.entry("model.weights.h5") == nil, archive.entry("model.weights.npz") == nil,
            archive.entry("model.weights.json") == nil
        {
            config.note(.warning, "it has no model.weights.h5")
        }
        description = ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "keras", version: metadata?["keras_version"]?.text ?? "",
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: config.signature, findings: config.findings,
            files: [ModelFileDescription(path: file.path, role: .weights)], memoryBytes: weights,
            verdict: config.verdict)
    }
}
