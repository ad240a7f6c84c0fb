import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje experiment create`
struct ExperimentCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create an experiment.",
        discussion: """
            Prints the number of the experiment.

            EXAMPLES
              linaje experiment create fraud --tag team=risk
              linaje experiment create fraud --exist-ok
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its name.")
    var name: String
    @Option(name: .customLong("tag"), help: "A tag KEY=VALUE; may be given again.")
    var tags: [String] = []
    @Flag(help: "Take the experiment of that name if there is one.")
    var existOk = false

    func run() async throws {
        let tags = try Arguments.tags(tags)
        let client = try await options.connect()
        let experiment = try await client.createExperiment(name, tags: tags, getExisting: existOk)
        Output.line(options.json ? experiment.json.text : "\(experiment.id)")
    }
}
