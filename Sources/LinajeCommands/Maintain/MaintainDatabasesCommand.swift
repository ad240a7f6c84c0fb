import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje maintain`, and `linaje maintain databases`
struct MaintainDatabasesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "databases",
        abstract: "Compact, vacuum, analyze, checkpoint; what no subcommand means, too.",
        discussion: """
            compact packs the points of runs into sorted chunks, vacuum gives pages that nothing \
            uses back to the file system, analyze renews what the query planner knows of the \
            tables, checkpoint moves the write-ahead logs into the database files; all does the \
            four in this order. The daemon works in small parts and lets commits go in between; \
            interrupted, it stops after the part it is at. It does compact, analyze and \
            checkpoint by itself now and then. Needs role admin.

            compact --pause keeps the daemon from compacting by itself for some seconds, as \
            while a training runs whose every second counts; --pause 0 lets it go on, and so \
            does a restart of the daemon.

            EXAMPLES
              linaje maintain
              linaje maintain compact
              linaje maintain compact --pause 3600
              linaje maintain vacuum
              linaje maintain checkpoint --json
            """)

    /// What may be asked for.
    enum Choice: String, ExpressibleByArgument, CaseIterable {
        case compact, checkpoint, analyze, vacuum, all

        var tasks: [MaintenanceTask] {
            switch self {
            case .compact: [.compact]
            case .checkpoint: [.checkpoint]
            case .analyze: [.analyze]
            case .vacuum: [.vacuum]
            case .all: []
            }
        }
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "compact, checkpoint, analyze, vacuum or all.")
    var task: Choice = .all
    @Option(
        help: ArgumentHelp(
            "Do not compact in the background for so long; 0: go on.", valueName: "seconds"))
    var pause: UInt64?

    func validate() throws {
        guard pause == nil || task == .compact else {
            throw ValidationError("--pause is for compact: linaje maintain compact --pause 3600")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        if let pause {
            try await client.pauseCompaction(seconds: pause)
            return report(pause: pause)
        }
        var failures: [String] = []
        let bar = StepBar(isQuiet: options.json)
        for try await progress in try await client.maintain(task.tasks) {
            if options.json {
                Output.lineNow(json(progress).text)
            } else if progress.isFinished {
                bar.clear()
                Output.lineNow(text(progress))
            } else {
                bar.draw(text(progress))
            }
            if let failure = progress.failure { failures.append(failure) }
        }
        if let first = failures.first {
            throw LinajeError(.failedPrecondition, "not everything could be done: \(first)")
        }
    }

    private func report(pause: UInt64) {
        if options.json {
            Output.line(JSONValue.object([("compaction_paused_seconds", .uint(pause))]).text)
        } else {
            Output.line(
                pause == 0
                    ? "compaction goes on"
                    : "compaction pauses for \(Rendering.grouped(pause)) seconds")
        }
    }

    private func text(_ progress: MaintenanceProgress) -> String {
        let name = "\(progress.task.rawValue) \(progress.database)"
        if let failure = progress.failure { return "\(name): \(printable(failure))" }
        let noun =
            switch progress.task {
            case .compact: "segments"
            case .analyze: "tables"
            case .vacuum, .checkpoint: "pages"
            }
        var out = "\(name): \(Rendering.grouped(progress.done)) \(noun)"
        if progress.left > 0 { out += ", \(Rendering.grouped(progress.left)) left" }
        if [.vacuum, .compact].contains(progress.task) {
            out += ", \(progress.freed) given back"
        }
        return out
    }

    private func json(_ progress: MaintenanceProgress) -> JSONValue {
        .object([
            ("database", .string(progress.database)), ("task", .string(progress.task.rawValue)),
            ("done", .uint(progress.done)), ("left", .uint(progress.left)),
            ("freed_bytes", .uint(progress.freed.bytes)),
            ("finished", .bool(progress.isFinished)), ("failure", .optional(progress.failure)),
        ])
    }
}
