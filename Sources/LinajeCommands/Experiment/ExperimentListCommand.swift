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
              linaje experiment list --filter "name LIKE 'fraud%'" --order-by "name DESC"
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var search: SearchOptions
    @Flag(help: "List deleted experiments too.")
    var all = false
    @Option(help: "Show at most this many.")
    var limit: Int?

    func run() async throws {
        let client = try await options.connect()
        let lifecycle: Lifecycle? = all ? nil : .active
        try await search.show(
            options, most: limit, client,
            list: { terms, page in
                UnreadPage(
                    try await client.experiments(
                        lifecycle: lifecycle, search: terms, page: page))
            }, json: \.json, table: show)
    }

    private func show(_ found: [Experiment]) {
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
