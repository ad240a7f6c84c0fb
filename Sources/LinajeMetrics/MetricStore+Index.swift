package import LinajeDomain
import LinajePluginKit

/// Runs that have points which searches do not know of yet, with the last values of their metrics.
package struct MetricIndexBatch: Sendable {
    /// One run, as one state of the database has it.
    package struct Entry: Sendable {
        package var run: RunID
        package var metrics: [RunMetric]
        /// What was logged in it about models.
        package var models: [LoggedModelID: [RunMetric]]
        /// Through which batch of each of its writers the values are complete.
        var writers: [(writer: WriterID, through: Int64)]
    }

    /// The last run of a batch.
    package struct Cursor: Sendable {
        var run: [UInt8]
    }

    package var runs: [Entry] = []
    /// Why a run of the batch is not in it: its points cannot be read.
    package var failures: [LinajeError] = []
    /// Where the next batch begins; `nil`: nothing is left.
    package var next: Cursor?

    /// The metrics in portions of at most so many; those of one run or model may be in several.
    package func portions(of limit: Int) -> [[OwnedMetrics]] {
        var portions: [[OwnedMetrics]] = []
        var room = 0
        let owned = runs.flatMap { entry in
            [(MetricOwner.run(entry.run), entry.metrics)]
                + entry.models.map { (MetricOwner.model($0.key), $0.value) }
        }
        for (owner, metrics) in owned {
            var rest = metrics[...]
            while !rest.isEmpty {
                if room == 0 {
                    portions.append([])
                    room = limit
                }
                let piece = rest.prefix(room)
                portions[portions.count - 1].append(
                    OwnedMetrics(
                        owner: owner, metrics: Array(piece),
                        isWhole: piece.count == metrics.count))
                room -= piece.count
                rest = rest.dropFirst(piece.count)
            }
        }
        return portions
    }
}

/// What a search index outside of this engine is fed from. A writer is *unindexed* while
/// `indexed_through` is below `durable_through`; both stand in its row.
extension MetricStore {
    /// Whether anything durable is unindexed.
    package func hasUnindexed() async throws -> Bool {
        try await backend.read { connection in
            try connection.first(
                "SELECT 1 FROM metric_writers WHERE indexed_through < durable_through LIMIT 1"
            ) { try $0.int(0) } != nil
        }
    }

    /// The next runs with something unindexed, by id, at most so many.
    package func unindexed(
        after cursor: MetricIndexBatch.Cursor?, runs limit: Int
    ) async throws -> MetricIndexBatch {
        let ids = try await backend.read { connection in
            try connection.all(
                """
                SELECT DISTINCT run FROM metric_writers
                WHERE indexed_through < durable_through AND run > ? ORDER BY run LIMIT ?
                """, [.blob(cursor?.run ?? []), .integer(Int64(limit))]
            ) { try $0.blob(0) }
        }
        guard let last = ids.last else { return MetricIndexBatch() }
        // Before the snapshot that completes them: a table may lack segments, never hold more.
        var known: [(run: RunID, tables: [WriterID: SummaryTable])] = []
        var failures: [LinajeError] = []
        for id in ids {
            do {
                let run = try RunID(id)
                known.append((run, summaryCache.tables(of: run)))
            } catch let error as LinajeError {
                failures.append(error)
            }
        }
        var batch = try await backend.read { [known, failures] connection in
            var batch = MetricIndexBatch(failures: failures)
            for (run, tables) in known {
                do {
                    batch.runs.append(try Self.entry(connection, run, tables))
                } catch let error as LinajeError where error.code == .corrupt {
                    batch.failures.append(error)
                }
            }
            return batch
        }
        batch.next = ids.count < limit ? nil : MetricIndexBatch.Cursor(run: last)
        return batch
    }

    /// Notes that the values of a batch are where searches find them, durably.
    package func markIndexed(_ batch: MetricIndexBatch) async throws {
        _ = try await backend.write { connection in
            for entry in batch.runs {
                for (writer, through) in entry.writers {
                    try connection.execute(
                        """
                        UPDATE metric_writers SET indexed_through = ?
                        WHERE run = ? AND writer = ? AND indexed_through < ?
                        """,
                        [
                            .integer(through), .blob(entry.run.array), .blob(writer.array),
                            .integer(through),
                        ])
                }
            }
        }
    }

    /// Returns after the next commit, or at once when there was one since the last call. For one
    /// caller.
    package func waitForCommit() async { await bell.wait() }

    /// Lets `waitForCommit` return.
    package func wakeIndexer() { bell.ring() }

    private static func entry(
        _ connection: any SQLConnection, _ run: RunID, _ known: [WriterID: SummaryTable]
    ) throws -> MetricIndexBatch.Entry {
        let writers = try connection.all(
            """
            SELECT writer, durable_through FROM metric_writers
            WHERE run = ? AND indexed_through < durable_through
            """, [.blob(run.array)]
        ) { (writer: try WriterID($0.blob(0)), through: try $0.int(1)) }
        let tables = try SummaryStore.load(connection, run: run, known: known)
        let series = merged(tables.values.map(\.table))
        let ofModels = Dictionary(grouping: series.filter { $0.key.modelID != nil }) {
            $0.key.modelID
        }
        var models: [LoggedModelID: [RunMetric]] = [:]
        for case (let model?, let found) in ofModels {
            models[model] = lastValues(found.map { ($0.key, $0.value) }, of: model)
        }
        return MetricIndexBatch.Entry(
            run: run, metrics: lastValues(series.map { ($0.key, $0.value) }, of: nil),
            models: models, writers: writers)
    }

    /// The series of all writers.
    private static func merged(_ tables: [SummaryTable]) -> [MetricSeries: SeriesSummary] {
        var series: [MetricSeries: SeriesSummary] = [:]
        for table in tables {
            for (name, summary) in zip(table.series, table.summaries) where summary.count > 0 {
                series[name, default: SeriesSummary()].merge(summary)
            }
        }
        return series
    }

    /// The last value of each key over some series: by step, time, arrival. Of equals the one that is
    /// about no data set, and about `model` (`nil`: none), counts.
    private static func lastValues(
        _ series: [(MetricSeries, SeriesSummary)], of model: LoggedModelID?
    ) -> [RunMetric] {
        struct Last {
            var isPlain: Bool
            var summary: SeriesSummary
        }
        var last: [String: Last] = [:]
        for (name, summary) in series.sorted(by: { $0.0.isOrdered(before: $1.0) }) {
            let isPlain = name == MetricSeries(key: name.key, modelID: model)
            guard let known = last[name.key] else {
                last[name.key] = Last(isPlain: isPlain, summary: summary)
                continue
            }
            let place = (summary.last.step, summary.last.time, summary.lastSegment)
            let knownPlace = (
                known.summary.last.step, known.summary.last.time, known.summary.lastSegment
            )
            guard place > knownPlace || (place == knownPlace && isPlain && !known.isPlain) else {
                continue
            }
            last[name.key] = Last(isPlain: isPlain, summary: summary)
        }
        return last.map { key, last in
            RunMetric(
                key: key, value: last.summary.last.value, step: last.summary.last.step,
                time: last.summary.last.time)
        }
    }
}
