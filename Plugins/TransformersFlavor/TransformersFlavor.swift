public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Models in the folders that Hugging Face's transformers and PEFT write: configuration, tokenizer,
/// generation settings, adapters and the model card.
///
/// Weights are other flavors' matter; here they get their roles. Code that the folder brings along
/// or asks for is a danger: transformers runs it with `trust_remote_code`.
public struct TransformersFlavor: ModelFlavor {
    /// How much of a `config.json` is looked at to recognise it, in bytes.
    static let firstBytes = 64 << 10

    public let descriptor = PluginDescriptor(
        name: "transformers", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        let files = try await source.files()
        let names: Set = ["adapter_config.json", "tokenizer_config.json", "generation_config.json"]
        if files.contains(where: { names.contains(ModelFolder.name($0.path)) }) { return true }
        for file in files.filter({ ModelFolder.name($0.path) == "config.json" }).prefix(16) {
            let bytes = try await source.read(file.path, offset: 0, length: Self.firstBytes)
            let keys = ["\"model_type\"", "\"architectures\"", "\"transformers_version\""]
            if keys.contains(where: { ByteSearch.contains($0, in: bytes) }) { return true }
        }
        return false
    }

    /// A file that is malformed is a finding, and nobody knows what loading it runs; the others are
    /// described all the same.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        var folder = ModelFolder(try await source.files())
        for file in folder.described {
            do {
                try await folder.read(file, from: source)
            } catch let error as LinajeError
                where error.code == .invalidArgument || error.code == .limitExceeded
            {
                folder.noteUnread(file.path, error.message)
            }
        }
        return folder.description
    }
}
