import ArgumentParser
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje backup`
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy everything that the daemon keeps, while it serves.",
        discussion: """
            DEST is a folder of this machine; it is made when it is not there. Each backup adds a \
            generation: the databases whole, and of the packs of artifacts those that are not there \
            yet. A generation appears at once when it is whole and durable; one that was interrupted \
            leaves the earlier ones as they are, and the next one goes on from it. Garbage \
            collections and checks wait until the backup is over; everything else goes on.

            --verify reads every byte of a backup that is there, without a daemon; it ends with 1 \
            when something is not as it was written. The backup can be read by its owner only; it \
            has all that the daemon knows. "linaje restore" makes a state directory of it. Needs role \
            admin.

            EXAMPLES
              linaje backup /backup/linaje
              linaje backup /backup/linaje --keep 30
              linaje backup /backup/linaje --list
              linaje backup /backup/linaje --verify
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The folder of the backup.", completion: .directory)
    var destination: String
    @Option(help: "Generations that stay; older ones are removed.")
    var keep = 7
    @Flag(help: "Leave out packs that are damaged in the daemon's store.")
    var despiteDamage = false
    @Flag(help: "Make no backup: read all of what is there, and say what is wrong.")
    var verify = false
    @Flag(help: "Make no backup: list the generations.")
    var list = false

    func validate() throws {
        guard (1...10_000).contains(keep) else {
            throw ValidationError("--keep is out of bounds; use 1 to 10000")
        }
        guard !verify || !list else {
            throw ValidationError("--verify and --list exclude each other")
        }
    }

    func run() async throws {
        umask(0o077)
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        let destination = destination
        if list { return try await listGenerations(destination) }
        if verify { return try await verify(destination, bar) }
        let client = try await options.connect()
        let folder = try await BlockingThread.run { try BackupFolder(writing: destination) }
        let backup = try await client.openBackup { bar.draw($0) }
        defer { backup.end() }
        let outcome = try await BackupMaking(
            folder: folder, backup: backup, agent: client.daemon.agent, keep: keep,
            acceptsDamage: despiteDamage, step: { bar.draw($0) }
        ).run()
        bar.clear()
        if options.json {
            Output.line(outcome.json.text)
        } else {
            Output.line(
                "\(outcome.generation): \(ByteCount(outcome.bytes)) in "
                    + "\(Rendering.grouped(UInt64(outcome.packs))) packs and the databases, "
                    + "\(ByteCount(outcome.newBytes)) copied now")
            for name in outcome.removedGenerations { Output.line("removed generation \(name)") }
            for lost in outcome.lost { Output.note("left out: \(printable(lost))") }
        }
        guard outcome.lost.isEmpty else {
            throw LinajeError(
                .incomplete,
                "\(outcome.lost.count) packs are damaged in the daemon's store and not in the backup"
            )
        }
    }

    private func verify(_ destination: String, _ bar: StepBar) async throws {
        let outcome = try await BlockingThread.run {
            try BackupCheck(
                folder: BackupFolder(reading: destination), step: { bar.draw($0) }
            ).run()
        }
        bar.clear()
        if options.json {
            Output.line(outcome.json.text)
        } else {
            for finding in outcome.findings {
                Output.line("\(printable(finding.object)): \(printable(finding.finding))")
            }
            Output.line(
                "\(outcome.generations) generations, \(outcome.packs) packs, "
                    + "\(ByteCount(outcome.bytes)) read, "
                    + (outcome.findings.isEmpty
                        ? "nothing is wrong" : "\(outcome.findings.count) findings"))
        }
        guard outcome.findings.isEmpty else {
            throw LinajeError(
                .corrupt,
                "backup \(destination) is damaged; make a new one to another folder, and keep "
                    + "this one until that is whole")
        }
    }

    private func listGenerations(_ destination: String) async throws {
        let found = try await BlockingThread.run {
            () -> [(BackupFolder.Generation, BackupManifest?)] in
            let folder = try BackupFolder(reading: destination)
            return try folder.generations().map { ($0, try? folder.manifest(of: $0)) }
        }
        var table = TextTable([
            ("generation", .left), ("made (UTC)", .left), ("size", .right), ("packs", .right),
            ("of", .left),
        ])
        var values: [JSONValue] = []
        for (generation, manifest) in found {
            table.add([
                generation.name, Rendering.shortTime(manifest?.madeAt),
                manifest.map { "\(ByteCount($0.size))" } ?? "damaged",
                manifest.map { "\($0.packs.count)" } ?? "", manifest?.agent ?? "",
            ])
            var fields: [(String, JSONValue)] = [
                ("generation", .string(generation.name)), ("whole", .bool(manifest != nil)),
            ]
            fields += JSONValue.time("made_at", manifest?.madeAt)
            fields += [
                ("bytes", .uint(manifest?.size ?? 0)),
                ("packs", .count(manifest?.packs.count ?? 0)),
                ("lost", .count(manifest?.lost.count ?? 0)),
            ]
            values.append(.object(fields))
        }
        if options.json {
            Output.line(JSONValue.array(values).text)
        } else {
            table.show(options.style, empty: "no generation yet")
        }
    }
}

extension BackupMaking.Outcome {
    fileprivate var json: JSONValue {
        .object([
            ("generation", .string(generation)), ("packs", .count(packs)),
            ("new_packs", .count(newPacks)), ("bytes", .uint(bytes)),
            ("new_bytes", .uint(newBytes)), ("lost", .strings(lost)),
            ("removed_generations", .strings(removedGenerations)),
            ("removed_packs", .count(removedPacks)),
        ])
    }
}

extension BackupCheck.Outcome {
    fileprivate var json: JSONValue {
        .object([
            ("generations", .count(generations)), ("packs", .count(packs)),
            ("bytes", .uint(bytes)),
            (
                "findings",
                .array(
                    findings.map {
                        .object([
                            ("object", .string($0.object)), ("finding", .string($0.finding)),
                        ])
                    })
            ),
        ])
    }
}
