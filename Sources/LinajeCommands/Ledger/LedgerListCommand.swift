import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje ledger list`
struct LedgerListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the changes of the registry, oldest first.",
        discussion: """
            EXAMPLES
              linaje ledger list
              linaje ledger list --limit 20 --json
              linaje ledger list --since 2026-11-01 --until 2026-12-01
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Show at most this many.")
    var limit: Int?

    @Option(help: "Only from this moment on: 2026-11-24, 2026-11-24T15:00:00 (UTC).")
    var since: String?
    @Option(help: "Only before this moment, written in the same way.")
    var until: String?

    func validate() throws { try Arguments.checkLimit(limit) }

    func run() async throws {
        let from = try since.map { try Arguments.time($0) }
        let to = try until.map { try Arguments.time($0) }
        let client = try await options.connect()
        let events = try await client.all(most: limit) { page in
            try await client.events(since: from, until: to, page: page)
        }
        EventList(events).show(options)
    }
}
