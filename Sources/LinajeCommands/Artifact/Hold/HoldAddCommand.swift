import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact hold add`
struct HoldAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Hold the content of a URI.",
        discussion: """
            Of a run, what it has now. Holding it again changes the reason. Needs role admin.

            EXAMPLES
              linaje artifact hold add models:/fraud-detector/2 --reason "case 4711"
              linaje artifact hold add runs:/RUN --reason audit
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String
    @Option(help: "Why it is held.")
    var reason: String

    func run() async throws {
        let content = try ContentURI(parsing: uri)
        let client = try await options.connect()
        let hold = try await client.placeHold(on: content, reason: reason)
        Output.line(
            options.json ? hold.json.text : "tree:sha256:\(hold.tree) is held: \(printable(reason))"
        )
    }
}
