import LinajeDomain
import LinajePluginKit
import Logging
import Synchronization

/// Makes batches durable, in groups: whatever arrived while the last commit ran is the next one.
///
/// Nothing is reported before the transaction that holds it is fsynced. A commit that finds the
/// disk full refuses its batches and the engine goes on; one whose write or fsync failed ends all
/// writing for good, since nobody knows what the disk holds.
final class MetricCommitter: Sendable {
    /// What a writer adds to the transaction.
    private struct Part: Sendable {
        var group: IngestQueue.Group
        var segments: [EncodedSegment]
    }

    private struct EncodedSegment: Sendable {
        var segment: MetricSegment
        var batches: ClosedRange<UInt64>
        var steps: ColumnBounds
        var times: ColumnBounds
        var data: [UInt8]

        init(_ builder: SegmentBuilder) {
            segment = builder.segment
            batches = builder.batches
            steps = ColumnBounds(segment.columns.steps)
            times = ColumnBounds(segment.columns.times)
            data = segment.encoded(steps: steps, times: times)
        }
    }

    private let backend: any SQLBackend
    private let queue: IngestQueue
    private let summaries: SummaryCache
    private let tails: TailRegistry
    private let bell: CommitBell
    private let compactor: MetricCompactor
    private let logger: Logger
    private let metrics = IngestMetrics()
    private let pointsWritten = Atomic<UInt64>(0)
    private let commitsDone = Atomic<UInt64>(0)

    init(
        backend: any SQLBackend, queue: IngestQueue, summaries: SummaryCache, tails: TailRegistry,
        bell: CommitBell, compactor: MetricCompactor, logger: Logger
    ) {
        self.backend = backend
        self.queue = queue
        self.summaries = summaries
        self.tails = tails
        self.bell = bell
        self.compactor = compactor
        self.logger = logger
    }

    var points: UInt64 { pointsWritten.load(ordering: .acquiring) }
    var commits: UInt64 { commitsDone.load(ordering: .relaxed) }

    /// Commits until the queue is stopped and empty, then stores the summaries.
    func run() async {
        while let groups = await queue.take() {
            // A failure may have come while these were taken; they are refused already.
            guard queue.failure == nil else { continue }
            await commit(groups)
        }
        guard queue.failure == nil else { return }
        await store(summaries.unstored())
    }

    private func commit(_ groups: [IngestQueue.Group]) async {
        let started = ContinuousClock.now
        let parts = groups.map { group in
            Part(
                group: group,
                segments: SegmentBuilder.segments(of: group.batches).map(EncodedSegment.init))
        }
        let ids: [Int64]
        do {
            ids = try await backend.write { connection in
                var ids: [Int64] = []
                for part in parts { try Self.write(part, connection, &ids) }
                return ids
            }
        } catch {
            refuse(groups, Self.linajeError(error))
            return
        }
        queue.committed(groups)
        let points = parts.reduce(0) { $0 + $1.segments.reduce(0) { $0 + $1.segment.count } }
        metrics.committed(groups, points: points, took: started.duration(to: .now))
        await settle(parts, ids)
    }

    /// After the report: summaries, tails and figures, which nobody waits for.
    private func settle(_ parts: [Part], _ ids: [Int64]) async {
        commitsDone.add(1, ordering: .relaxed)
        bell.ring()
        var due: [SummaryCache.Due] = []
        var next = 0
        for part in parts {
            let ids = ids[next..<next + part.segments.count]
            next += part.segments.count
            let segments = zip(ids, part.segments).map { (id: $0, segment: $1.segment) }
            if let table = summaries.fold(part.group.key, segments) { due.append(table) }
            var points = 0
            for (_, segment) in segments {
                tails.publish(segment, run: part.group.key.run)
                points += segment.count
            }
            pointsWritten.add(UInt64(points), ordering: .releasing)
            compactor.committed(part.group.key.run, segments: segments.count, points: points)
        }
        due += summaries.evicted()
        await store(due)
    }

    private static func write(
        _ part: Part, _ connection: any SQLConnection, _ ids: inout [Int64]
    ) throws {
        let key = part.group.key
        let run = SQLValue.blob(key.run.array)
        let writer = SQLValue.blob(key.writer.array)
        for segment in part.segments {
            let id = try connection.first(
                insertSegment,
                [
                    run, writer, .integer(Int64(clamping: segment.batches.lowerBound)),
                    .integer(Int64(clamping: segment.batches.upperBound)),
                    .integer(Int64(segment.segment.count)),
                    .integer(segment.steps.low), .integer(segment.steps.high),
                    .integer(segment.times.low), .integer(segment.times.high),
                    .blob(segment.data),
                ]
            ) { try $0.int(0) }
            guard let id else {
                throw LinajeError(.internalError, "database gave a metric segment no number")
            }
            ids.append(id)
        }
        let changed = try connection.execute(
            raiseDurable,
            [
                run, writer, .integer(Int64(clamping: part.group.lastSequence)),
                .integer(Int64(clamping: part.group.durableBefore)),
            ])
        guard changed == 1 else {
            throw LinajeError(
                .unavailable,
                "writer \(key.writer) of run \(key.run) was written by another daemon; open the "
                    + "metric stream again")
        }
    }

    private static let insertSegment = """
        INSERT INTO metric_segments (run, writer, first_batch, last_batch, points, min_step, \
        max_step, min_time, max_time, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
        """

    private static let raiseDurable = """
        INSERT INTO metric_writers (run, writer, durable_through) VALUES (?, ?, ?) \
        ON CONFLICT (run, writer) DO UPDATE SET durable_through = excluded.durable_through \
        WHERE metric_writers.durable_through = ?
        """

    private func refuse(_ groups: [IngestQueue.Group], _ error: LinajeError) {
        // A table must not miss segments, should the commit have happened after all.
        for group in groups { summaries.drop(group.key) }
        IngestMetrics.refused(groups.reduce(0) { $0 + $1.batches.count }, error)
        guard error.code == .storageFailed else {
            logger.warning(
                "metric batches refused",
                metadata: ["error": "\(error)", "writers": "\(groups.count)"])
            queue.refused(groups, error)
            return
        }
        fail(error)
    }

    private func fail(_ error: LinajeError) {
        queue.failed(error)
        logger.critical(
            "a write failed: no metric is accepted any more; look at the disk, then restart",
            metadata: ["error": "\(error)"])
    }

    /// Stores summaries; what is not stored now is completed from segments, so that only a failed
    /// disk matters.
    private func store(_ due: [SummaryCache.Due]) async {
        guard !due.isEmpty else { return }
        do {
            _ = try await backend.write { connection in
                for one in due { try SummaryStore.store(connection, one.key, one.table) }
            }
            for one in due { summaries.stored(one.key, through: one.table.through) }
        } catch {
            let error = Self.linajeError(error)
            if error.code == .storageFailed {
                fail(error)
            } else {
                logger.warning("metric summaries not stored", metadata: ["error": "\(error)"])
            }
        }
    }

    private static func linajeError(_ error: any Error) -> LinajeError {
        error as? LinajeError ?? LinajeError(.internalError, "metric commit failed: \(error)")
    }
}
