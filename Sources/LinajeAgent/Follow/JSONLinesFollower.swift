import FoundationEssentials
package import LinajeClient
import LinajeDomain

/// Follows a JSON lines file by its name: as it grows, is rotated away, or is written anew.
///
/// A file is known by its inode and the bytes up to its first measurement, not by its name: one that
/// was rotated away while nobody looked is still the same. Bytes that were written anew under the
/// same inode with the same beginning cannot be told from the old ones by that; when the agent sees
/// it happen, it notes so as a tag of the run (decision 0036).
package struct JSONLinesFollower: Sendable {
    private typealias File = FollowedFile<JSONLinesGrammar>

    /// The file that is followed now.
    private struct Current: Sendable {
        var file: OpenFile
        var known = File(JSONLinesGrammar())
        /// The bytes before the place, to see that they are still there.
        var tail: [UInt8] = []
    }

    private let path: String
    private let configuration: FollowConfiguration
    private let client: LinajeClient
    private let report: FollowReport
    private let stop: StopSignal
    private let finder: RunFinder
    private let generations: FileGenerations

    /// - Parameter path: the file's absolute path. It need not be there yet.
    package init(
        _ path: String, _ configuration: FollowConfiguration, client: LinajeClient,
        report: FollowReport, stop: StopSignal
    ) {
        self.path = path
        self.configuration = configuration
        self.client = client
        self.report = report
        self.stop = stop
        finder = RunFinder(
            configuration.target, kind: "jsonl", path: path,
            name: String(path.split(separator: "/").last ?? "jsonl"), client, report)
        generations = FileGenerations(client)
    }

    /// Runs until it is stopped or, when that is wanted, all that is there is durable in the run.
    package func run() async throws {
        var current: Current?
        var health = DaemonHealth(report)
        var rounds = 0
        var isRotatedDone = false
        var told: String?
        while !stop.isRequested {
            rounds += 1
            do {
                if !isRotatedDone { try await finishRotated() }
                isRotatedDone = true
                let found = try await look(&current)
                health.note([])
                told = nil
                if found == .again || configuration.once && found == .growth { continue }
                if configuration.once { break }
            } catch {
                let failure = LinajeError.of(error)
                health.note([failure])
                if configuration.once, !failure.isRetryable || rounds >= Self.onceRounds {
                    throw failure
                }
                if !failure.isRetryable, failure.message != told {
                    report.tell(.failed(source: path, failure))
                    told = failure.message
                }
            }
            await stop.pause(for: configuration.pause)
        }
        let hasRest = current?.known.hasRest ?? false
        report.count { $0.incomplete = hasRest ? 1 : 0 }
        if configuration.once { try await finder.finish(at: current?.known.lastTime) }
    }

    /// What a look has found.
    private enum Finding {
        case nothing
        case growth
        /// Another file, or another content: it is looked at at once.
        case again
    }

    private static let onceRounds = 5
    /// How many bytes before the place are compared.
    private static let tailBytes: UInt64 = 256

    private func look(_ current: inout Current?) async throws -> Finding {
        let path = path
        guard let now = current else {
            do {
                let file = try await BlockingCalls.run { try OpenFile(path) }
                current = Current(file: file)
                report.count { $0.files += 1 }
                return .again
            } catch let error as LinajeError where error.code == .notFound && !configuration.once {
                return .nothing
            }
        }
        if try await isRewritten(now) {
            report.tell(.rewritten(path: path))
            if let writer = now.known.writer { await generations.wasRewritten(writer) }
            current = Current(file: now.file)
            return .again
        }
        let grown = try await advance(now)
        current = grown
        if grown.known.place.offset > now.known.place.offset { return .growth }
        // The file that has the name now; the old one was read to its end just before.
        let identity = await named(path)
        guard let identity, identity != now.file.identity else { return .nothing }
        report.tell(.rotated(path: path))
        current = nil
        return .again
    }

    private func named(_ path: String) async -> OpenFile.Identity? {
        try? await BlockingCalls.run { OpenFile.identity(of: path) }
    }

    private func isRewritten(_ current: Current) async throws -> Bool {
        let offset = current.known.place.offset
        guard offset > 0 else { return false }
        let (file, tail) = (current.file, current.tail)
        return try await BlockingCalls.run {
            guard try file.size() >= offset else { return true }
            let start = offset - UInt64(tail.count)
            return try file.read(at: start, count: tail.count) != tail
        }
    }

    private func advance(_ current: Current) async throws -> Current {
        var next = current
        next.known = try await turn(current.file).take(current.known)
        let offset = next.known.place.offset
        guard offset != current.known.place.offset else { return next }
        let file = current.file
        let count = min(offset, Self.tailBytes)
        next.tail = try await BlockingCalls.run {
            try file.read(at: offset - count, count: Int(count))
        }
        if next.known.didSend { try await finder.heard() }
        return next
    }

    private func turn(_ file: OpenFile) -> FileTurn<JSONLinesGrammar> {
        let (finder, generations) = (finder, generations)
        return FileTurn(
            file: file, grammar: JSONLinesGrammar(), client: client, report: report,
            run: { try await finder.id(firstTime: $0) },
            writer: { run, fingerprint in
                try await generations.writer(
                    of: [
                        JSONLinesGrammar.name, "\(run)", "\(file.identity.inode)", fingerprint,
                    ], in: run)
            })
    }

    /// What was written into a file that was rotated to "FILE.1" while nobody looked, when a part of
    /// it is in the run already.
    private func finishRotated() async throws {
        let path = path + ".1"
        guard let file = try? await BlockingCalls.run({ try OpenFile(path) }),
            await named(self.path) != file.identity
        else { return }
        let scout = RotatedFile(file: file, client: client, finder: finder)
        guard try await scout.isKnown(to: generations) else { return }
        _ = try await turn(file).take(File(JSONLinesGrammar()))
        report.count { $0.files += 1 }
    }
}
