import ArgumentParser
import LinajeClient

/// `linaje model describe`
struct ModelDescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Say what a model or a version is, or rename a model.",
        discussion: """
            EXAMPLES
              linaje model describe fraud-detector "scores card payments"
              linaje model describe fraud-detector "trained on May" --version 2
              linaje model describe fraud-detector --rename card-fraud
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Argument(help: "What it is.")
    var text: String?
    @Option(help: "The version that is described; the model itself if not given.")
    var version: UInt64?
    @Option(help: "A new name of the model; versions, aliases and tags follow.")
    var rename: String?

    func validate() throws {
        guard text != nil || rename != nil else {
            throw ValidationError("Give a description or --rename.")
        }
        if version != nil, rename != nil {
            throw ValidationError("--version and --rename do not go together.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        if let version {
            try await client.updateModelVersion(name, version, description: text).show(options)
        } else {
            try await client.updateRegisteredModel(name, newName: rename, description: text)
                .show(options)
        }
    }
}
