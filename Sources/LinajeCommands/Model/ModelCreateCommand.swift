import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model create`
struct ModelCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a registered model without versions.",
        discussion: """
            EXAMPLES
              linaje model create fraud-detector --description "scores card payments"
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its name, without / and :.")
    var name: String
    @Option(help: "What it is.")
    var description = ""
    @Option(name: .customLong("tag"), help: "A tag KEY=VALUE; may be given again.")
    var tags: [String] = []

    func run() async throws {
        let tags = try Arguments.tags(tags)
        let client = try await options.connect()
        let model = try await client.createRegisteredModel(
            name, description: description, tags: tags)
        Output.line(options.json ? model.json.text : model.name)
    }
}
