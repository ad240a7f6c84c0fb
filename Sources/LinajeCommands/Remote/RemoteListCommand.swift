import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje remote list`
struct RemoteListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the remotes.",
        discussion: """
            EXAMPLES
              linaje remote list
              linaje remote list --json
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let remotes = try await options.connect().remotes()
        guard !options.json else {
            return Output.line(JSONValue.array(remotes.map(\.json)).text)
        }
        var table = TextTable([("name", .left), ("address", .left), ("from", .left)])
        for remote in remotes {
            table.add([
                remote.name, remote.address, remote.isConfigured ? "configuration" : "remote add",
            ])
        }
        table.show(options.style, empty: "no remotes")
    }
}
