import ArgumentParser
import LinajeClient

/// `linaje experiment show`
struct ExperimentShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an experiment.",
        discussion: """
            EXAMPLES
              linaje experiment show fraud
              linaje experiment show 0 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its number or name.")
    var experiment: String

    func run() async throws {
        let client = try await options.connect()
        try await Arguments.experiment(experiment, client).show(options)
    }
}
