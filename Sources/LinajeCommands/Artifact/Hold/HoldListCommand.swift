import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact hold list`
struct HoldListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what is held.",
        discussion: """
            EXAMPLES
              linaje artifact hold list
              linaje artifact hold list --json
            """, aliases: ["ls"])

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let client = try await options.connect()
        let holds = try await client.all { try await client.holds(page: $0) }
        if options.json { return Output.line(JSONValue.array(holds.map(\.json)).text) }
        var table = TextTable([
            ("tree", .left), ("placed", .left), ("by", .left), ("reason", .left),
        ])
        for hold in holds {
            table.add([
                "tree:sha256:\(hold.tree)", Rendering.time(hold.placedAt),
                printable(hold.principal), printable(hold.reason),
            ])
        }
        table.show(options.style, empty: "nothing is held")
    }
}
