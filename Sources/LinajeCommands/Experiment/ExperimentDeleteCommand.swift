import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje experiment delete`
struct ExperimentDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete an experiment with its runs; it can be restored.",
        discussion: """
            EXAMPLES
              linaje experiment delete fraud
              linaje experiment restore fraud
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its number or name.")
    var experiment: String

    func run() async throws {
        let client = try await options.connect()
        let found = try await Arguments.experiment(experiment, client)
        try await client.updateExperiment(found.id, lifecycle: .deleted).show(options)
    }
}
