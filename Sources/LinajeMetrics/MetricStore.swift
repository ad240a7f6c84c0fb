package import LinajeDomain
package import LinajePluginKit
package import Logging
import ServiceLifecycle

/// The metric engine: takes batches of points from many writers, makes them durable in grouped
/// commits, and answers for what it has.
///
/// Life of a batch: `MetricWriter.submit` queues it; the committer, inside `run`, merges all that
/// waits into one segment per writer and commits them in one transaction, together with the
/// numbers of the batches; only then the writer is told.
package final class MetricStore: Service, Sendable {
    let backend: any SQLBackend
    let queue: IngestQueue
    let summaryCache: SummaryCache
    /// Rings after commits.
    let bell = CommitBell()
    let tails = TailRegistry()
    let readings = RunReadings()
    private let committer: MetricCommitter
    let compactor: MetricCompactor
    private let historyGroupPoints: UInt64

    /// - Parameters:
    ///   - backend: a database of its own, so that points hold nothing else up.
    ///   - queueBytes: bytes of batches that may wait for their commit.
    package convenience init(
        backend: any SQLBackend, clock: any WallClock, logger: Logger,
        queueBytes: Int = Limits.ingestQueueBytes
    ) {
        self.init(
            backend: backend, logger: logger, queueBytes: queueBytes, summaries: SummaryCache())
    }

    init(
        backend: any SQLBackend, logger: Logger, queueBytes: Int, summaries: SummaryCache,
        compaction: CompactionPolicy = CompactionPolicy(),
        historyGroupPoints: UInt64 = MetricHistory.groupPoints
    ) {
        self.backend = backend
        self.historyGroupPoints = historyGroupPoints
        summaryCache = summaries
        queue = IngestQueue(limit: queueBytes)
        compactor = MetricCompactor(backend: backend, policy: compaction, logger: logger)
        committer = MetricCommitter(
            backend: backend, queue: queue, summaries: summaries, tails: tails, bell: bell,
            compactor: compactor, logger: logger)
    }

    /// Brings the schema up to date. Called once, before anything else.
    package func prepare() async throws {
        try await backend.migrate(MetricSchema.namespace, MetricSchema.migrations)
    }

    /// Does the next batch of what a migration left to do while the engine is in use.
    ///
    /// - Returns: how far that is; `nil` when nothing is left.
    package func backfill() async throws -> SQLBackfillProgress? {
        try await backend.backfill(MetricSchema.namespace, MetricSchema.migrations)
    }

    /// What migrations have left to do.
    package func pendingBackfills() async throws -> [SQLBackfillProgress] {
        try await backend.pendingBackfills()
    }

    /// Commits batches, and compacts, until graceful shutdown (or cancellation), then drains the
    /// queue, stores the summaries and ends all tails. Does not return early when writing has failed:
    /// reading goes on.
    package func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.compactor.run() }
            await withTaskCancellationHandler {
                await withGracefulShutdownHandler {
                    await committer.run()
                } onGracefulShutdown: {
                    self.queue.stop()
                }
            } onCancel: {
                queue.stop()
            }
            group.cancelAll()
        }
        tails.endAll()
    }

    /// Opens the stream of a writer. One that is open already is taken over: it ends with
    /// `leaseHeld`, and what it had queued counts for the new one.
    ///
    /// - Parameters:
    ///   - onDurable: told after commits, from any thread; must not wait.
    ///   - onFailure: told once when the writer ends by an error; nothing is reported after it.
    /// - Throws: `storageFailed` when writing has failed, `unavailable` when the engine stops,
    ///   `leaseHeld` when somebody else took over meanwhile.
    package func openWriter(
        run: RunID, writer: WriterID,
        onDurable: @escaping @Sendable (MetricWriter.Progress) -> Void,
        onFailure: @escaping @Sendable (LinajeError) -> Void
    ) async throws -> MetricWriter {
        let key = IngestQueue.Key(run: run, writer: writer)
        let channel = try await queue.open(key, progress: onDurable, failed: onFailure)
        do {
            let isKnown = summaryCache.contains(key)
            let (durable, loaded) = try await backend.read { connection in
                let durable = try connection.first(
                    "SELECT durable_through FROM metric_writers WHERE run = ? AND writer = ?",
                    [.blob(run.array), .blob(writer.array)]
                ) { try $0.int(0) }
                let loaded =
                    isKnown
                    ? nil : try SummaryStore.load(connection, run: run, writer: writer)[writer]
                return (UInt64(clamping: durable ?? 0), loaded)
            }
            if !isKnown {
                summaryCache.insert(
                    key, loaded?.table ?? SummaryTable(), stored: loaded?.stored ?? 0)
            }
            try queue.activate(channel, durable: durable)
            return MetricWriter(queue: queue, channel: channel, durableThrough: durable)
        } catch {
            queue.close(channel)
            throw error
        }
    }

    /// Returns once everything of a run that was queued when this was called is durable or refused, so
    /// that a read which begins then sees it; after `patience` at the latest.
    package func waitUntilStored(
        _ run: RunID, patience: Duration = Limits.queuedReadPatience
    ) async {
        await queue.waitUntilStored(run, patience: patience)
    }

    /// The points of a run, as they are pulled: series by series (ordered by key), each in the
    /// order (step, time, arrival), in pieces of at most 16,384 points. `limit` counts points over
    /// all series.
    ///
    /// The stream throws `corrupt`, naming the run and segment, for stored bytes that are damaged, and
    /// `notFound` when the run is deleted meanwhile.
    package func history(
        _ run: RunID, _ query: MetricQuery
    ) -> AsyncThrowingStream<(MetricSeries, MetricColumns), any Error> {
        let history = MetricHistory(
            backend: backend, run: run, query: query, reading: readings.begin(run),
            groupPoints: historyGroupPoints
        ) { [self] in try await summaries(run, keys: query.keys) }
        return AsyncThrowingStream { try await history.next() }
    }

    /// The summaries of a run's series over all writers, ordered by key, then model and data set.
    /// Empty `keys`: all. Everything that was reported durable is in them.
    package func summaries(_ run: RunID, keys: Set<String>) async throws -> [MetricSummary] {
        let known = summaryCache.tables(of: run)
        let tables = try await backend.read { connection in
            try SummaryStore.load(connection, run: run, known: known)
        }
        await storeCompleted(tables, of: run, known: known)
        var merged: [MetricSeries: SeriesSummary] = [:]
        for loaded in tables.values {
            for (series, summary) in zip(loaded.table.series, loaded.table.summaries)
            where summary.count > 0 && (keys.isEmpty || keys.contains(series.key)) {
                merged[series, default: SeriesSummary()].merge(summary)
            }
        }
        return merged.sorted { $0.key.isOrdered(before: $1.key) }.map { $0.value.named($0.key) }
    }

    /// The points of a run as they become durable, from now on, until `endTails`. Empty `keys`:
    /// all. A reader that is too slow loses the oldest points that wait for it and is told how
    /// many. For one reader.
    package func tail(_ run: RunID, keys: Set<String>) -> AsyncStream<MetricTailPiece> {
        tails.stream(run, keys: keys)
    }

    /// Ends the tails of a run that has ended; what waits in them is still read.
    package func endTails(_ run: RunID) { tails.end(run) }

    /// Compacts everything that is worth it, in steps between which commits go.
    ///
    /// - Parameter report: told after each step how many segments it packed, how many bytes that
    ///   saved, and how many segments may be left.
    /// - Returns: the damage that was met last: runs with damaged bytes are passed over.
    /// - Throws: what `report` throws; the database's errors.
    package func compact(
        report: (_ done: Int, _ freed: Int, _ left: Int) async throws -> Void
    ) async throws -> LinajeError? {
        try await compactor.compactAll { outcome, left in
            try await report(
                outcome.segments, max(0, outcome.bytesBefore - outcome.bytesAfter), left)
        }
    }

    /// Keeps from compacting by itself for so long from now; zero lets it go on.
    package func pauseCompaction(for duration: Duration) { compactor.pause(for: duration) }

    /// Reads something from the database, whatever is in it: for a sign of life.
    ///
    /// - Throws: why it cannot be read.
    package func checkReading() async throws {
        _ = try await backend.read { connection in
            try connection.first("SELECT durable_through FROM metric_writers LIMIT 1") { row in
                try row.int(0)
            }
        }
    }

    /// How the engine is doing.
    package var statistics: MetricStatistics {
        MetricStatistics(
            points: committer.points, commits: committer.commits, queuedBytes: queue.queuedBytes,
            queueLimit: queue.limit, failure: queue.failure)
    }

    /// Stores the tables that took many segments to complete, so that the next reader need not.
    private func storeCompleted(
        _ tables: [WriterID: SummaryStore.Loaded], of run: RunID,
        known: [WriterID: SummaryTable]
    ) async {
        let due = tables.filter { $0.value.completedFrom >= 64 && known[$0.key] == nil }
        guard !due.isEmpty, queue.failure == nil else { return }
        // Only a saving: reading must go on where nothing can be written.
        _ = try? await backend.write { connection in
            for (writer, loaded) in due {
                try SummaryStore.store(
                    connection, IngestQueue.Key(run: run, writer: writer), loaded.table)
            }
        }
    }
}

extension MetricSeries {
    /// The order in which series are listed: by the bytes of key, model, data set.
    func isOrdered(before other: MetricSeries) -> Bool {
        func order(_ left: String, _ right: String) -> Bool? {
            if left.utf8.elementsEqual(right.utf8) { return nil }
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        if let order = order(key, other.key) { return order }
        if modelID != other.modelID {
            guard let left = modelID?.bytes, let right = other.modelID?.bytes else {
                return modelID == nil
            }
            return (left.high, left.low) < (right.high, right.low)
        }
        return order(datasetName, other.datasetName)
            ?? order(datasetDigest, other.datasetDigest) ?? false
    }
}
