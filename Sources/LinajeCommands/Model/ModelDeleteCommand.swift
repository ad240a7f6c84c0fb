import ArgumentParser
import LinajeClient

/// `linaje model delete`
struct ModelDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a version, or a model with all its versions.",
        discussion: """
            The history stays, and a version's number is never used again. This cannot be undone.

            EXAMPLES
              linaje model delete fraud-detector --version 1
              linaje model delete fraud-detector --all-versions
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Option(help: "The version to delete.")
    var version: UInt64?
    @Flag(help: "Delete the model with all its versions and aliases.")
    var allVersions = false

    func validate() throws {
        guard allVersions == (version == nil) else {
            throw ValidationError("Give --version N, or --all-versions to delete the model.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        if let version {
            try await client.deleteModelVersion(name, version)
        } else {
            try await client.deleteRegisteredModel(name)
        }
        if options.json {
            Output.line(
                JSONValue.object([
                    ("name", .string(name)), ("version", version.map { .uint($0) } ?? .null),
                    ("deleted", .bool(true)),
                ]).text)
        } else {
            Output.line("models:/\(name)" + (version.map { "/\($0)" } ?? "") + " deleted")
        }
    }
}
