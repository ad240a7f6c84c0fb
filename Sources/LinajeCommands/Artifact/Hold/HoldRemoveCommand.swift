import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact hold remove`
struct HoldRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Lift a hold.",
        discussion: """
            The content is then collected when nothing else needs it. Needs role admin.

            EXAMPLES
              linaje artifact hold remove models:/fraud-detector/2
              linaje artifact hold remove tree:sha256:0a1b…
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String

    func run() async throws {
        let content = try ContentURI(parsing: uri)
        let client = try await options.connect()
        let hold = try await client.liftHold(on: content)
        Output.line(
            options.json ? hold.json.text : "tree:sha256:\(hold.tree) is not held any more")
    }
}
