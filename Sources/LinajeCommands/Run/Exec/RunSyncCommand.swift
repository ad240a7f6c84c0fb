import ArgumentParser
import FoundationEssentials
import LinajeClient
import LinajeDomain
import LinajeHost

/// `linaje run sync`
struct RunSyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Tell the daemon of runs that it could not be told of.",
        discussion: """
            "linaje run -- COMMAND" keeps what it knows while the daemon is away; this delivers it, \
            as does the next "linaje run". Ends with 75 when something still waits.

            EXAMPLES
              linaje run sync
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let left = KeptRuns(environment: ProcessInfo.processInfo.environment)?.left() ?? []
        let (told, waiting) =
            left.isEmpty ? ([], []) : await Self.deliver(left, to: try await options.connect())
        for wait in waiting { Output.note("run \(wait.id) waits: \(wait.why)") }
        if options.json {
            Output.line(
                JSONValue.object([
                    ("delivered", .strings(told)), ("waiting", .strings(waiting.map(\.id))),
                ]).text)
        } else {
            Output.line("\(told.count) runs delivered, \(waiting.count) wait")
        }
        if !waiting.isEmpty { throw ExitCode(ExitCodes.retryable) }
    }

    /// Delivers what was left: the ids of what the daemon took, and what still waits and why.
    static func deliver(
        _ left: [KeptRuns.Place], to client: LinajeClient
    ) async -> (told: [String], waiting: [(id: String, why: String)]) {
        var told: [String] = []
        var waiting: [(id: String, why: String)] = []
        for place in left {
            let id = place.path.split(separator: "/").last.map(String.init) ?? ""
            guard place.hasFacts || place.hasLog else {
                place.remove()
                continue
            }
            do {
                guard place.hasFacts else {
                    try await deliverLog(of: place, id, to: client)
                    place.remove()
                    told.append(id)
                    continue
                }
                var facts = try place.read()
                // The daemon knows what became of the owner of a run that it knows.
                if facts.end == nil, !facts.isCreated {
                    // Whoever knew the command is gone, and did not come to say how it ended.
                    let end = ProcessEnd()
                    facts.end = RunFacts.End(
                        status: .failed, cause: end.cause, process: end, at: SystemClock().now())
                }
                try await facts.deliver(to: client, isOwner: false, patch: place.patch)
                place.removeFacts()
                try await deliverLog(of: place, id, to: client)
                place.remove()
                told.append(id)
            } catch let error as LinajeError where error.details["deleted"] != nil {
                place.remove()
                Output.note("run \(id) was deleted for good; what was kept of it is dropped")
            } catch let error as LinajeError {
                waiting.append((id, error.message))
            } catch {
                waiting.append((id, "\(error)"))
            }
        }
        return (told, waiting)
    }

    /// Sends what was kept of a command's log; the daemon takes what it does not have. What is missing
    /// between, since the file is damaged or the daemon's state is older than it was, the log shows.
    ///
    /// - Throws: why the log has to wait: it is kept.
    private static func deliverLog(
        of place: KeptRuns.Place, _ id: String, to client: LinajeClient
    ) async throws {
        guard let spool = try LogSpool(opening: place.log) else { return }
        let run = try RunID(parsing: id[...])
        var durable: UInt64 = 0
        do {
            while let frame = try spool.next() {
                let end = frame.offset + frame.records.reduce(0) { $0 + $1.size }
                guard end > durable else { continue }
                durable = try await append(frame, of: run, spool.writer, to: client)
            }
        } catch let error as LinajeError where error.code == .notFound {
            // Nobody knows the run, and nobody is left who could make it.
            return
        }
        if spool.damagedBytes > 0 {
            Output.note(
                "run \(id): \(ByteCount(UInt64(spool.damagedBytes))) of its kept log are damaged and "
                    + "were left out")
        }
    }

    /// Sends a frame, and what is missing before it; how far the daemon is then.
    private static func append(
        _ frame: (offset: UInt64, records: [LogRecord]), of run: RunID, _ writer: WriterID,
        to client: LinajeClient
    ) async throws -> UInt64 {
        do {
            return try await client.appendLog(
                of: run, writer: writer, offset: frame.offset, frame.records
            ).durable
        } catch let error as LinajeError {
            guard let gap = LogGap(error, before: frame.offset) else { throw error }
            try await gap.tell(client, run, writer)
            return try await client.appendLog(
                of: run, writer: writer, offset: frame.offset, frame.records
            ).durable
        }
    }
}
