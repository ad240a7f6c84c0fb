import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje maintain purge`
struct MaintainPurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Delete for good what was deleted long ago.",
        discussion: """
            Deletes all runs for good that have been deleted for at least so long, by themselves or \
            with their experiment: params, tags, metrics, logs. This cannot be undone. Runs of which a \
            model version or logged model came stay, and are named. "linaje maintain vacuum" then \
            gives the room back to the file system. Needs role admin.

            EXAMPLES
              linaje maintain purge --deleted-for 30d --dry-run
              linaje maintain purge --deleted-for 30d
              linaje maintain purge --deleted-for 12h --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "For how long they have been deleted: 90m, 12h, 30d, 8w.")
    var deletedFor: String
    @Flag(help: "Only say which runs these are, and how much they have.")
    var dryRun = false

    func run() async throws {
        let age = try Arguments.age(deletedFor)
        let client = try await options.connect()
        let gone = try await PurgeView(options, isDryRun: dryRun).show(
            try await client.purge(RunPurge(.deletedFor(age), isDryRun: dryRun)))
        if !options.json, gone == 0 {
            Output.line("no run has been deleted for \(deletedFor)")
        }
    }
}
