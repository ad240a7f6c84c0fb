import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje push`
struct PushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Bring a remote the artifacts that it lacks.",
        discussion: """
            Both stores are asked what they have now, packs are compared by content, and each that \
            is missing is copied, checked byte by byte on the way, and looked for afterwards. \
            Interrupted, it goes on where it was. Needs role writer.

            EXAMPLES
              linaje push --remote backup
              linaje push --remote backup --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "The remote's name (linaje remote list).")
    var remote: String

    func run() async throws {
        let client = try await options.connect()
        try await RemoteView(options: options, action: .push, remote: remote).show(
            try await client.exchange(.push, with: remote))
    }
}
