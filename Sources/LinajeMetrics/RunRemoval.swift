package import LinajeDomain
import LinajePluginKit

/// Removes all points of a run, in short transactions, between which commits go. Repeating it goes on
/// where it stopped.
///
/// The run's writers go first: without their rows nothing stores summaries any more. A compaction
/// that planned on segments which are gone undoes itself, and one that came first leaves chunks, which
/// are removed after the segments.
struct RunRemoval: Sendable {
    /// Bounds of one transaction.
    static let stepPoints = 65_536
    static let stepRows = 256
    static let stepSummaries = 2_000

    let backend: any SQLBackend
    let run: RunID

    /// Does one step.
    ///
    /// - Returns: the points that it removed, and whether anything may be left.
    func step() async throws -> (points: Int, hasMore: Bool) {
        try await backend.write { connection in
            let id = SQLValue.blob(run.array)
            try connection.execute("DELETE FROM metric_writers WHERE run = ?", [id])
            var points = 0
            for table in ["metric_segments", "metric_chunks", "metric_quarantine"] {
                let isEmpty = try remove(from: table, connection, &points)
                guard isEmpty else { return (points, true) }
            }
            let summaries = try connection.execute(
                """
                DELETE FROM metric_summaries WHERE run = ? AND (writer, series) IN (
                    SELECT writer, series FROM metric_summaries WHERE run = ? LIMIT ?)
                """, [id, id, .integer(Int64(Self.stepSummaries))])
            return (points, summaries == Self.stepSummaries)
        }
    }

    /// Removes rows while the step has room; says whether none are left.
    private func remove(
        from table: String, _ connection: any SQLConnection, _ points: inout Int
    ) throws -> Bool {
        let rows = try connection.all(
            "SELECT id, points FROM \(table) WHERE run = ? LIMIT ?",
            [.blob(run.array), .integer(Int64(Self.stepRows))]
        ) { (id: try $0.int(0), points: try $0.int(1)) }
        var taken: [SQLValue] = []
        for row in rows {
            guard taken.isEmpty || points < Self.stepPoints else { break }
            taken.append(.integer(row.id))
            // What a damaged row says may be any number.
            points += Int(clamping: min(max(0, row.points), Int64(Self.stepPoints)))
        }
        guard !taken.isEmpty else { return true }
        let marks = taken.map { _ in "?" }.joined(separator: ", ")
        try connection.execute("DELETE FROM \(table) WHERE id IN (\(marks))", taken)
        return taken.count == rows.count && rows.count < Self.stepRows
    }
}

extension MetricStore {
    /// Deletes everything of a run: its open writers, readings and tails end with `notFound`, what they
    /// had queued is dropped. Nobody may open any meanwhile. A call that did not return is repeated.
    ///
    /// - Parameter report: told after each step how many points it removed.
    package func delete(_ run: RunID, report: (Int) -> Void) async throws {
        readings.end(run)
        tails.end(run)
        await queue.expel(run, RunReadings.deleted(run))
        summaryCache.drop(run)
        compactor.forget(run)
        let removal = RunRemoval(backend: backend, run: run)
        while true {
            let step = try await removal.step()
            report(step.points)
            guard step.hasMore else { return }
            await Task.yield()
        }
    }

    /// How many points of a run are stored.
    package func pointCount(_ run: RunID) async throws -> UInt64 {
        try await backend.read { connection in
            var sum: UInt64 = 0
            for table in ["metric_segments", "metric_chunks"] {
                let points = try connection.first(
                    "SELECT COALESCE(SUM(points), 0) FROM \(table) WHERE run = ?",
                    [.blob(run.array)]
                ) { try $0.int(0) }
                sum += UInt64(clamping: points ?? 0)
            }
            return sum
        }
    }
}
