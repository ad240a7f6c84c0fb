import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run log`
struct RunLogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show what a run's command wrote.",
        discussion: """
            The log is what the command of "linaje run -- COMMAND" wrote to standard output and \
            standard error, in the order it came, byte for byte; on a terminal control characters \
            other than those of colours are shown as escapes. --timestamps, --grep and --json show \
            lines. Where bytes are missing, because the log or a spool was full, a note on standard \
            error says how many.

            --follow goes on until the run ends, also when the daemon is restarted meanwhile; nothing \
            is left out or shown twice.

            EXAMPLES
              linaje run log RUN
              linaje run log RUN --tail 20 --follow
              linaje run log RUN --grep error --ignore-case --context 2
              linaje run log RUN --stream stderr --since 2026-11-26T10:00:00Z --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Flag(name: [.customShort("f"), .long], help: "Go on until the run ends.")
    var follow = false
    @Option(name: [.customShort("n"), .long], help: "Begin this many lines before the end.")
    var tail: UInt64?
    @Option(help: "Begin at this moment: 2026-11-24 or 2026-11-24T15:00:00Z.")
    var since: String?
    @Option(help: "Begin at the line of this number, from 1.")
    var line: UInt64?
    @Option(help: "Only stdout or stderr.")
    var stream: String?
    @Option(help: "Only lines with this text.")
    var grep: String?
    @Flag(
        name: [.customShort("i"), .long], help: "With --grep: letters of either case are the same.")
    var ignoreCase = false
    @Option(help: "With --grep: show this many lines before and after, too.")
    var context = 0
    @Option(help: "With --grep: show at most this many lines with the text.")
    var limit = 1_000
    @Flag(help: "Begin each line with its time.")
    var timestamps = false

    func validate() throws {
        guard [tail != nil, since != nil, line != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("give one of --tail, --since and --line.")
        }
        guard stream.map({ ["stdout", "stderr"].contains($0) }) ?? true else {
            throw ValidationError("--stream must be stdout or stderr.")
        }
        guard grep == nil || !follow && tail == nil else {
            throw ValidationError("--grep looks at what is there: without --follow and --tail.")
        }
        guard (0...Limits.logContextLines).contains(context) else {
            throw ValidationError("--context must be 0 to \(Limits.logContextLines).")
        }
        guard (1...Limits.logSearchLines).contains(limit) else {
            throw ValidationError("--limit must be 1 to \(Limits.logSearchLines).")
        }
        guard tail ?? 0 <= UInt64(Limits.logSearchLines) else {
            throw ValidationError("--tail must be at most \(Limits.logSearchLines).")
        }
    }

    func run() async throws {
        let start = try start()
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let streams = streams
        if let grep { return try await search(id, client, for: grep, from: start, streams) }
        var view = LogView(
            isJSON: options.json, hasTimes: timestamps, isTerminal: TextStyle.isTerminal)
        var follower = LogFollower(
            client: client, run: id, start: start, streams: streams, follows: follow)
        while let part = try await follower.next() {
            for record in part.records { view.show(record) }
            // What is there is shown before more is waited for.
            Output.flush()
        }
        view.finish()
        Output.flush()
    }

    private var streams: Set<LogStream> {
        Set(LogStream.allCases.filter { stream == nil || $0.name == stream })
    }

    private func start() throws -> LogStart {
        if let tail { return .last(tail) }
        if let since { return .time(try Arguments.time(since)) }
        return line.map { .line($0) } ?? .offset(0)
    }

    private func search(
        _ id: RunID, _ client: LinajeClient, for text: String, from start: LogStart,
        _ streams: Set<LogStream>
    ) async throws {
        let view = LogView(
            isJSON: options.json, hasTimes: timestamps, isTerminal: TextStyle.isTerminal)
        // Where the start is, the opening of a reading says.
        let offset = try await client.log(of: id, from: start, streams: streams).offset
        let found = try await client.searchLog(
            of: id, for: text, ignoresCase: ignoreCase, streams: streams, from: offset,
            context: context, limit: limit)
        var last: UInt64?
        for try await part in found {
            for match in part.lines {
                if context > 0, let last, match.line.number > last + 1, !options.json {
                    Output.line("--")
                }
                last = match.line.number
                view.show(match)
            }
            Output.flush()
            if part.hasMore {
                Output.note("\(limit) lines are shown; there may be more: see --limit and --line")
            }
        }
        if last == nil { throw ExitCode(ExitCodes.failed) }
    }
}
