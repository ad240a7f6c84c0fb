import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje dataset list`
struct DatasetListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the data sets of all runs, those logged last first.",
        discussion: """
            EXAMPLES
              linaje dataset list
              linaje dataset list --filter "name = 'mnist' AND context = 'training'"
              linaje dataset list --filter "digest LIKE 'sha256:12%'" --json
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var search: SearchOptions
    @Option(help: "Show at most this many.")
    var limit = 100

    func run() async throws {
        let client = try await options.connect()
        try await search.show(
            options, most: limit, client,
            list: { UnreadPage(try await client.datasets(search: $0, page: $1)) },
            json: { found in
                .object([
                    ("run_id", .string("\(found.runID)")), ("dataset", found.dataset.json),
                ])
            }
        ) { found in
            var table = TextTable([
                ("data set", .left), ("context", .left), ("digest", .left), ("run", .left),
                ("source", .left),
            ])
            for entry in found {
                let dataset = entry.dataset
                table.add([
                    dataset.name, dataset.context,
                    dataset.clientDigest.isEmpty
                        ? dataset.digests.first.map { "\($0)" } ?? "" : dataset.clientDigest,
                    "\(entry.runID)", dataset.source,
                ])
            }
            table.show(options.style, empty: "no data sets")
        }
    }
}
