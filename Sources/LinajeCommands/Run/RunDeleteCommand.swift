import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run delete`
struct RunDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a run; it can be restored.",
        discussion: """
            EXAMPLES
              linaje run delete RUN
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its id.")
    var run: String

    func run() async throws {
        let id = try Arguments.run(run)
        let client = try await options.connect()
        let run = try await client.updateRun(id, lifecycle: .deleted)
        Output.line(options.json ? run.json.text : "\(run.id) \(run.lifecycle.rawValue)")
    }
}
