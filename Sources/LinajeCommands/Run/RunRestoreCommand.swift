import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run restore`
struct RunRestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Restore a deleted run.",
        discussion: """
            EXAMPLES
              linaje run restore RUN
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its id.")
    var run: String

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let run = try await client.updateRun(id, lifecycle: .active)
        Output.line(options.json ? run.json.text : "\(run.id) \(run.lifecycle.rawValue)")
    }
}
