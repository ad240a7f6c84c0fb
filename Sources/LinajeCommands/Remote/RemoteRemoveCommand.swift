import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje remote remove`
struct RemoteRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget a remote; what is in it stays.",
        discussion: """
            Needs role admin. A remote that stands in the daemon's configuration is removed there.

            EXAMPLES
              linaje remote remove backup
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The remote's name.")
    var name: String

    func run() async throws {
        try await options.connect().removeRemote(name)
        if options.json {
            Output.line(JSONValue.object([("name", .string(name))]).text)
        } else {
            Output.line("remote \(printable(name)) is forgotten")
        }
    }
}
