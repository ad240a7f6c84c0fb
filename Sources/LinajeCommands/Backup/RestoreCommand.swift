import ArgumentParser
import Glibc
import LinajeDomain

/// `linaje restore`
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a state directory of a backup.",
        discussion: """
            Needs no daemon. DIR is empty or not there; a daemon that is started on it goes on from \
            the moment of the backup. Every byte is checked; DIR appears when it is whole, and an \
            interrupted restore goes on when it is run again. Run it as the user of the daemon; when \
            root runs it and DIR is there, the files get its owner.

            EXAMPLES
              linaje restore /backup/linaje --state-directory ~/.local/state/linaje
              linaje restore /backup/linaje --state-directory /var/lib/linaje --generation 12
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The folder of the backup.", completion: .directory)
    var source: String
    @Option(help: "The state directory to make.", completion: .directory)
    var stateDirectory: String
    @Option(help: "Which generation, by its name or number; the newest unless given.")
    var generation: String?

    func run() async throws {
        umask(0o077)
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        let (source, generation, directory) = (source, generation, stateDirectory)
        let outcome = try await BlockingThread.run {
            try Restoring(
                folder: BackupFolder(reading: source), generation: generation,
                stateDirectory: directory, step: { bar.draw($0) }
            ).run()
        }
        bar.clear()
        if options.json {
            var fields: [(String, JSONValue)] = [
                ("generation", .string(outcome.generation)),
                ("state_directory", .string(directory)),
            ]
            fields += JSONValue.time("made_at", outcome.madeAt)
            fields += [
                ("packs", .count(outcome.packs)), ("bytes", .uint(outcome.bytes)),
                ("lost", .strings(outcome.lost)),
            ]
            Output.line(JSONValue.object(fields).text)
        } else {
            Output.line(
                "\(directory) is as it was at \(Rendering.shortTime(outcome.madeAt)) UTC: "
                    + "\(ByteCount(outcome.bytes)) in \(outcome.packs) packs and the databases")
            for pack in outcome.lost {
                Output.note("\(pack) was damaged when the backup was made and is not there")
            }
        }
    }
}
