import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run list`
struct RunListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List runs, newest first.",
        discussion: """
            EXAMPLES
              linaje run list
              linaje run list --experiment fraud --status RUNNING --tag team=risk
              linaje run list --limit 1000 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .customLong("experiment"), help: "Only of this experiment; may be given again.")
    var experiments: [String] = []
    @Option(name: .customLong("status"), help: "Only with this status; may be given again.")
    var statuses: [String] = []
    @Option(name: .customLong("tag"), help: "Only with this tag KEY=VALUE; may be given again.")
    var tags: [String] = []
    @Option(help: "Only parts of this run.")
    var parent: String?
    @Flag(help: "List deleted runs too.")
    var all = false
    @Option(help: "Show at most this many.")
    var limit = 100

    func run() async throws {
        let tags = try Arguments.tags(tags)
        let statuses = try statuses.map { try Arguments.status($0) }
        let parent = try parent.map { try Arguments.run($0) }
        let client = try await options.connect()
        var ids: [ExperimentID] = []
        for name in experiments { ids.append(try await Arguments.experiment(name, client).id) }
        let within = ids
        let found = try await client.all(most: limit) { page in
            try await client.runs(
                experiments: within, statuses: statuses, tags: tags, parent: parent,
                lifecycle: all ? nil : .active, page: page)
        }
        if options.json { return Output.line(JSONValue.array(found.map(\.json)).text) }
        var table = TextTable([
            ("run", .left), ("name", .left), ("experiment", .right), ("status", .left),
            ("started", .left), ("took", .right), ("user", .left),
        ])
        for run in found {
            let took = run.endedAt.map { end in
                Rendering.duration(
                    .microseconds(end.microseconds &- run.startedAt.microseconds))
            }
            table.add([
                "\(run.id)", run.name, "\(run.experimentID)", run.status.rawValue,
                Rendering.shortTime(run.startedAt), took ?? "",
                run.user.isEmpty ? run.principal : run.user,
            ])
        }
        table.show(options.style, empty: "no runs")
    }
}
