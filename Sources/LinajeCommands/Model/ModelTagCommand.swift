import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model tag`
struct ModelTagCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Set and remove tags of a model or a version.",
        discussion: """
            EXAMPLES
              linaje model tag fraud-detector team=risk
              linaje model tag fraud-detector --version 2 validated=yes --remove draft
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Argument(help: "Tags KEY=VALUE to set.")
    var tags: [String] = []
    @Option(help: "The version; the model itself if not given.")
    var version: UInt64?
    @Option(help: "A key to remove; may be given again.")
    var remove: [String] = []

    func validate() throws {
        guard !tags.isEmpty || !remove.isEmpty else {
            throw ValidationError("Give tags KEY=VALUE or --remove KEY.")
        }
    }

    func run() async throws {
        let changes = TagChanges(set: try Arguments.tags(tags), remove: remove)
        let client = try await options.connect()
        if let version {
            try await client.updateModelVersion(name, version, tags: changes).show(options)
        } else {
            try await client.updateRegisteredModel(name, tags: changes).show(options)
        }
    }
}
