import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje experiment list`
struct ExperimentListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List experiments, newest first.",
        discussion: """
            EXAMPLES
              linaje experiment list
              linaje experiment list --all --json
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "List deleted experiments too.")
    var all = false
    @Option(help: "Show at most this many.")
    var limit: Int?

    func run() async throws {
        let client = try await options.connect()
        let found = try await client.all(most: limit) { page in
            try await client.experiments(lifecycle: all ? nil : .active, page: page)
        }
        if options.json { return Output.line(JSONValue.array(found.map(\.json)).text) }
        var table = TextTable([
            ("id", .right), ("name", .left), ("state", .left), ("created", .left),
        ])
        for experiment in found {
            table.add([
                "\(experiment.id)", experiment.name, experiment.lifecycle.rawValue,
                Rendering.shortTime(experiment.createdAt),
            ])
        }
        table.show(options.style, empty: "no experiments")
    }
}
