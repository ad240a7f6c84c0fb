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
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Show at most this many.")
    var limit: Int?

    func run() async throws {
        let client = try await options.connect()
        let events = try await client.all(most: limit) { try await client.events(page: $0) }
        EventList(events).show(options)
    }
}
