import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje pull`
struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Bring the daemon the artifacts that it lacks.",
        discussion: """
            As push, the other way round. What a remote has damaged is named and left there. Runs, \
            models and their names are not part of a remote: a tree that was pulled is read by its \
            digest. Needs role writer.

            EXAMPLES
              linaje pull --remote backup
              linaje pull --remote backup --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "The remote's name (linaje remote list).")
    var remote: String

    func run() async throws {
        let client = try await options.connect()
        try await RemoteView(options: options, action: .pull, remote: remote).show(
            try await client.exchange(.pull, with: remote))
    }
}
