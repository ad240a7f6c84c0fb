import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run finish`
struct RunFinishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finish", abstract: "End a run.",
        discussion: """
            EXAMPLES
              linaje run finish RUN
              linaje run finish RUN --status FAILED --cause "out of memory"
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its id.")
    var run: String
    @Option(help: "FINISHED, FAILED or KILLED.")
    var status = "FINISHED"
    @Option(help: "What is known of why it ended.")
    var cause: String?

    func validate() throws {
        guard let parsed = try? Arguments.status(status), parsed.isTerminal else {
            throw ValidationError("--status must be FINISHED, FAILED or KILLED.")
        }
    }

    func run() async throws {
        let status = try Arguments.status(status)
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let run = try await client.updateRun(id, status: status, endedCause: cause)
        Output.line(options.json ? run.json.text : "\(run.id) \(run.status.rawValue)")
    }
}
