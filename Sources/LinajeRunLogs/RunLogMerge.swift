import LinajeDomain
import LinajePluginKit
import Logging
import ServiceLifecycle
import Synchronization

/// Makes full chunks of small ones, so that a log that came line by line is packed and read like any
/// other.
///
/// Rows that follow each other without a gap become one: the first is written anew, the others are
/// deleted, in one transaction. Nothing else of the log changes, so a reader sees the same bytes at
/// the same offsets before and after, and a crash leaves either state. What is merged is read and
/// packed before the transaction and compared in it.
final class RunLogMerge: Sendable {
    /// Small chunks of one run, and bytes in them, after which they are merged.
    private static let dueChunks = 32
    private static let dueBytes = LogChunk.fullBytes
    /// How often small chunks are looked for that nobody told of: those of an earlier daemon.
    private static let sweepInterval = Duration.seconds(60)
    /// Runs that are counted at once; more are found by the sweep.
    private static let countedRuns = 4_096
    private static let sweptRuns = 256
    /// Most chunks that become one.
    private static let plannedChunks = 256

    private struct State {
        var counts: [RunID: (chunks: Int, bytes: Int)] = [:]
        var due: Set<RunID> = []
    }

    private let backend: any SQLBackend
    private let logger: Logger
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(backend: any SQLBackend, logger: Logger) {
        self.backend = backend
        self.logger = logger
        (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// A chunk came to a run's log.
    func added(_ run: RunID, bytes: Int) {
        guard bytes < LogChunk.fullBytes else { return }
        let isDue = state.withLock { state in
            guard state.counts[run] != nil || state.counts.count < Self.countedRuns else {
                return false
            }
            var count = state.counts[run] ?? (0, 0)
            count.chunks += 1
            count.bytes += bytes
            guard count.chunks >= Self.dueChunks || count.bytes >= Self.dueBytes else {
                state.counts[run] = count
                return false
            }
            state.counts[run] = nil
            state.due.insert(run)
            return true
        }
        if isDue { wake.yield() }
    }

    /// A run has ended: little comes to its log any more.
    func ended(_ run: RunID) {
        let isDue = state.withLock { state in
            guard state.counts.removeValue(forKey: run) != nil else { return false }
            state.due.insert(run)
            return true
        }
        if isDue { wake.yield() }
    }

    /// Merges what is due until graceful shutdown or cancellation.
    func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while (try? await Task.sleep(for: Self.sweepInterval)) != nil {
                        await self.sweep()
                    }
                }
                group.addTask { for await _ in self.wakes { await self.mergeDue() } }
                await group.waitForAll()
            }
        }
    }

    private func mergeDue() async {
        while !Task.isCancelled, let run = state.withLock({ $0.due.popFirst() }) {
            do {
                try await merge(run)
            } catch {
                // It is as it was, and the sweep comes back to it.
                logger.warning("log of run \(run) cannot be merged: \(error)")
            }
        }
    }

    private func sweep() async {
        let found = try? await backend.read { connection in
            try connection.all(
                """
                SELECT run FROM run_log_chunks WHERE is_full = 0 GROUP BY run HAVING COUNT(*) > 1
                LIMIT \(Self.sweptRuns)
                """
            ) { try RunID($0.blob(0)) }
        }
        state.withLock { $0.due.formUnion(found ?? []) }
        await mergeDue()
    }

    // MARK: One run

    /// Rows that become one.
    fileprivate struct Plan: Sendable {
        var ids: [Int64]
        var bytes: Int64
        var lines: Int64
        var times: ClosedRange<Int64>
        var data: [UInt8]
    }

    func merge(_ run: RunID) async throws {
        var after: UInt64 = 0
        // Each step makes at most one chunk, so that what others wait for is short.
        while let (plan, end) = try await plan(run, after: after) {
            after = end
            guard let plan else { continue }
            try await backend.write { connection in
                // Somebody else may have merged or deleted them. A row that took others in has
                // grown: rows never get smaller.
                let there = try connection.first(
                    """
                    SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM run_log_chunks
                    WHERE id IN (\(Self.marks(plan.ids))) AND is_full = 0
                    """, plan.ids.map { .integer($0) }
                ) { (rows: try $0.int(0), bytes: try $0.int(1)) }
                guard let there, there.rows == Int64(plan.ids.count), there.bytes == plan.bytes,
                    let first = plan.ids.first
                else { return }
                let others = plan.ids.dropFirst().map { SQLValue.integer($0) }
                try connection.execute(
                    "DELETE FROM run_log_chunks WHERE id IN (\(Self.marks(others)))", others)
                try connection.execute(
                    """
                    UPDATE run_log_chunks SET bytes = ?, lines = ?, min_time = ?, max_time = ?,
                        is_full = ?, data = ? WHERE id = ?
                    """,
                    [
                        .integer(plan.bytes), .integer(plan.lines),
                        .integer(plan.times.lowerBound), .integer(plan.times.upperBound),
                        .bool(plan.bytes >= Int64(LogChunk.fullBytes)), .blob(plan.data),
                        .integer(first),
                    ])
            }
        }
    }

    private static func marks(_ values: [some Any]) -> String {
        values.map { _ in "?" }.joined(separator: ", ")
    }

    /// The next small chunks that follow each other, and the byte after them; without a plan where
    /// one stands alone. `nil`: there are none left.
    private func plan(
        _ run: RunID, after start: UInt64
    ) async throws -> (plan: Plan?, end: UInt64)? {
        try await backend.read { connection in
            let small = try connection.all(
                """
                SELECT first_byte, bytes FROM run_log_chunks
                WHERE run = ? AND is_full = 0 AND first_byte >= ? ORDER BY first_byte
                LIMIT \(Self.plannedChunks)
                """, [.blob(run.array), .integer(Int64(clamping: start))]
            ) { (first: try $0.int(0), bytes: try $0.int(1)) }
            guard let first = small.first?.first else { return nil }
            var end = first
            for chunk in small {
                guard chunk.first == end, end - first < Int64(LogChunk.fullBytes) else { break }
                end += chunk.bytes
            }
            let rows = try connection.all(
                """
                SELECT \(RunLogReader.columns) FROM run_log_chunks
                WHERE run = ? AND first_byte >= ? AND first_byte < ? ORDER BY first_byte
                """, [.blob(run.array), .integer(first), .integer(end)],
                RunLogReader.row(of: run))
            return (rows.count > 1 ? Plan(rows) : nil, UInt64(clamping: end))
        }
    }
}

extension RunLogMerge.Plan {
    fileprivate init(_ rows: [RunLogReader.Row]) {
        let chunk = LogChunk(records: rows.flatMap(\.chunk.records))
        ids = rows.map(\.id)
        bytes = Int64(chunk.byteCount)
        lines = Int64(chunk.lineCount)
        times = chunk.times
        data = chunk.encoded()
    }
}
