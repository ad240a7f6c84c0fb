import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje experiment restore`
struct ExperimentRestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Restore a deleted experiment with its runs.",
        discussion: """
            EXAMPLES
              linaje experiment restore fraud
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its number or name.")
    var experiment: String

    func run() async throws {
        let client = try await options.connect()
        let found = try await Arguments.experiment(experiment, client)
        try await client.updateExperiment(found.id, lifecycle: .active).show(options)
    }
}
