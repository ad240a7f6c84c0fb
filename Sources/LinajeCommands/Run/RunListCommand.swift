import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run list`
struct RunListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List or count runs, newest first.",
        discussion: """
            EXAMPLES
              linaje run list
              linaje run list --experiment fraud --status RUNNING --tag team=risk
              linaje run list --limit 1000 --json
              linaje run list --filter "metrics.loss < 0.1 AND NOT status = 'FAILED'" \
                  --order-by metrics.loss --order-by "start_time DESC"
              linaje run list --filter "params.lr IN ('0.1', '0.01')" --count

            Filters are described in proto-spec/PROTOCOL.md, "Searches".
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var search: SearchOptions
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
        let client = try await options.connect()
        var part: RunID?
        if let parent { part = try await Arguments.run(parent, client) }
        let parent = part
        var ids: [ExperimentID] = []
        for name in experiments { ids.append(try await Arguments.experiment(name, client).id) }
        let within = ids
        let lifecycle: Lifecycle? = all ? nil : .active
        try await search.show(
            options, most: limit, client,
            list: { terms, page in
                try await client.unreadRuns(
                    experiments: within, statuses: statuses, tags: tags, parent: parent,
                    lifecycle: lifecycle, search: terms, page: page)
            }, json: \.json, table: show)
    }

    private func show(_ found: [Run]) {
        // What the list is ordered by is what somebody wants to see.
        let fields = search.order.compactMap { try? SortKey.parse($0, for: .runs).field }
            .filter { if case .attribute = $0 { false } else { true } }
        var table = TextTable(
            [
                ("run", .left), ("name", .left), ("experiment", .right), ("status", .left),
                ("started", .left), ("took", .right), ("user", .left),
            ] + fields.map { ($0.key, .right) })
        for run in found {
            let took = run.endedAt.map { end in
                Rendering.duration(
                    .microseconds(end.microseconds &- run.startedAt.microseconds))
            }
            table.add(
                [
                    "\(run.id)", run.name, "\(run.experimentID)", run.status.rawValue,
                    Rendering.shortTime(run.startedAt), took ?? "",
                    run.user.isEmpty ? run.principal : run.user,
                ] + fields.map { $0.value(of: run) })
        }
        table.show(options.style, empty: "no runs")
    }
}

extension SearchField {
    fileprivate var key: String {
        switch self {
        case .metric(let key), .param(let key), .tag(let key): key
        case .attribute(let attribute): attribute.rawValue
        case .dataset(let attribute): attribute.rawValue
        }
    }

    /// The value as text; empty where a run has none.
    fileprivate func value(of run: Run) -> String {
        switch self {
        case .metric(let key):
            run.metrics.first { $0.key == key }.map { Rendering.number($0.value) } ?? ""
        case .param(let key): run.params.first { $0.key == key }.map { "\($0.value)" } ?? ""
        case .tag(let key): run.tags.first { $0.key == key }.map(\.value) ?? ""
        case .attribute, .dataset: ""
        }
    }
}
