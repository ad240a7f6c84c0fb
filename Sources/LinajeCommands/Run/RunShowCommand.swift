import ArgumentParser
import LinajeClient

/// `linaje run show`
struct RunShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show everything that is known of a run.",
        discussion: """
            EXAMPLES
              linaje run show 0123456789abcdef0123456789abcdef
              linaje run show runs:/0123456789abcdef0123456789abcdef --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its id.")
    var run: String

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        try await client.run(id).show(options)
    }
}
