import LinajeDomain
import LinajePluginKit

/// One step of compaction: the oldest segments of a run become chunks.
///
/// The points are read and packed on a snapshot; then one short transaction puts the chunks in the
/// place of the segments. A crash leaves either the segments or the chunks. Whatever changed in between
/// (another daemon was faster) undoes the step.
///
/// New points are merged with the chunks of their series that are still open and at most twice as
/// many, newest first, so that a point is packed again a logarithmic number of times on its way to a
/// full chunk.
struct RunCompaction: Sendable {
    /// What a step did.
    struct Outcome: Sendable, Hashable {
        var segments = 0
        var points = 0
        var chunks = 0
        /// Bytes of the segments and merged chunks that are gone, and of the chunks that came.
        var bytesBefore = 0
        var bytesAfter = 0
        /// Segments of the run are left.
        var hasMore = false
    }

    private struct Segment: Sendable {
        var id: Int64
        var writer: WriterID
        var lastBatch: Int64
        var segment: MetricSegment
    }

    private struct Plan: Sendable {
        var segments: [Segment] = []
        var chunks: [NewChunk] = []
        var merged: [Int64] = []
        var outcome = Outcome()
    }

    /// Bounds of a step, of which at least one segment is taken.
    static let maximumSegments = 512
    static let maximumPoints = 262_144

    let backend: any SQLBackend
    let run: RunID
    var policy = CompactionPolicy()
    var segmentLimit = RunCompaction.maximumSegments
    var chunkPoints = MetricChunk.maximumPoints

    /// Does one step.
    ///
    /// - Returns: nothing done when it is not worth it; `nil` when somebody else changed the run meanwhile; it may be tried again.
    /// - Throws: `corrupt` naming a segment or chunk that cannot be read; the backend's errors.
    func step() async throws -> Outcome? {
        let plan = try await backend.read { try self.plan($0) }
        guard !plan.segments.isEmpty else { return Outcome() }
        do {
            try await backend.write { try self.apply(plan, $0) }
        } catch is Changed {
            return nil
        }
        return plan.outcome
    }

    // MARK: Reading and packing

    private func plan(_ connection: any SQLConnection) throws -> Plan {
        var plan = Plan()
        let sizes = try connection.all(
            "SELECT id, points FROM metric_segments WHERE run = ? ORDER BY id LIMIT ?",
            [.blob(run.array), .integer(Int64(segmentLimit) + 1)]
        ) { (id: try $0.int(0), points: Int(clamping: try $0.int(1))) }
        var points = 0
        var taken = 0
        for size in sizes.prefix(segmentLimit) {
            // What a damaged row says may be any number.
            points += min(max(0, size.points), Self.maximumPoints)
            guard taken == 0 || points <= Self.maximumPoints else { break }
            taken += 1
        }
        guard taken > 0 else { return plan }
        plan.outcome.hasMore = taken < sizes.count
        try read(through: sizes[taken - 1].id, connection, into: &plan)
        let series = Set(plan.segments.flatMap(\.segment.series)).count
        guard
            plan.outcome.hasMore
                || policy.isWorth(segments: taken, points: points, series: series)
        else { return Plan() }
        try pack(connection, &plan)
        return plan
    }

    private func read(
        through last: Int64, _ connection: any SQLConnection, into plan: inout Plan
    ) throws {
        try connection.query(
            "SELECT id, writer, last_batch, data FROM metric_segments WHERE run = ? AND id <= ? "
                + "ORDER BY id", [.blob(run.array), .integer(last)]
        ) { row in
            let id = try row.int(0)
            let data = try row.blob(3)
            let segment = try MetricSegment(decoding: data, run: run, id: id)
            plan.outcome.segments += 1
            plan.outcome.points += segment.count
            plan.outcome.bytesBefore += data.count
            plan.segments.append(
                Segment(
                    id: id, writer: try WriterID(row.blob(1)), lastBatch: try row.int(2),
                    segment: segment))
        }
    }

    private func pack(_ connection: any SQLConnection, _ plan: inout Plan) throws {
        var places: [MetricSeries: Int] = [:]
        var series: [MetricSeries] = []
        var arrived: [SortableColumns] = []
        for segment in plan.segments {
            let here = segment.segment.series.map { one in
                if let place = places[one] { return place }
                places[one] = series.count
                series.append(one)
                arrived.append(SortableColumns())
                return series.count - 1
            }
            segment.segment.forEachPoint { arrived[here[$0]].append($1) }
        }
        let open = try ChunkStore.open(connection, run: run)
        let (reader, writer) = (PlaneReader(), PlaneWriter())
        let through = plan.segments.last?.id ?? 0
        for (one, new) in zip(series, arrived) where new.count > 0 {
            var columns = SortableColumns()
            for chunk in mergeable(open[one] ?? [], with: new.count) {
                guard
                    let points = try ChunkStore.points(
                        connection, run: run, id: chunk.id, with: reader)
                else { continue }
                columns.append(points)
                plan.merged.append(chunk.id)
            }
            var latest = new
            latest.sort()
            columns.append(latest.columns)
            columns.sort()
            for chunk in cut(columns.columns, of: one, through: through, with: writer) {
                plan.outcome.bytesAfter += chunk.data.count
                plan.chunks.append(chunk)
            }
        }
        plan.outcome.chunks = plan.chunks.count
    }

    /// Those of the open chunks of a series, in the order of arrival, that new points go with.
    ///
    /// What fills a chunk takes all of them along: an open chunk that stayed behind, and was merged
    /// later, would come after points that had arrived after its own.
    private func mergeable(_ open: [StoredChunk], with newPoints: Int) -> ArraySlice<StoredChunk> {
        var total = newPoints
        var first = open.endIndex
        while first > open.startIndex {
            let points = Int(clamping: open[first - 1].summary.count)
            guard points <= 2 * total || total >= chunkPoints else { break }
            total += points
            first -= 1
        }
        return open[first...]
    }

    private func cut(
        _ columns: MetricColumns, of series: MetricSeries, through: Int64,
        with planes: PlaneWriter
    ) -> [NewChunk] {
        var chunks: [NewChunk] = []
        for start in stride(from: 0, to: columns.count, by: chunkPoints) {
            let range = start..<min(columns.count, start + chunkPoints)
            chunks.append(
                NewChunk(
                    columns[range], of: series,
                    order: ArrivalOrder(segment: through, part: Int64(chunks.count)),
                    isOpen: range.count < chunkPoints, with: planes))
        }
        return chunks
    }

    // MARK: The transaction

    /// What was read is not what is there.
    private struct Changed: Error {}

    private func apply(_ plan: Plan, _ connection: any SQLConnection) throws {
        for (writer, segments) in Dictionary(grouping: plan.segments, by: \.writer) {
            let key = IngestQueue.Key(run: run, writer: writer)
            try SummaryStore.advance(connection, key, segments.map { ($0.id, $0.segment) })
            let batch = segments.map(\.lastBatch).max() ?? 0
            try connection.execute(
                "UPDATE metric_writers SET compacted_through = ? WHERE run = ? AND writer = ? "
                    + "AND compacted_through < ?",
                [.integer(batch), .blob(run.array), .blob(writer.array), .integer(batch)])
        }
        let through = plan.segments.last?.id ?? 0
        let deleted = try connection.execute(
            "DELETE FROM metric_segments WHERE run = ? AND id <= ?",
            [.blob(run.array), .integer(through)])
        guard deleted == plan.segments.count else { throw Changed() }
        for id in plan.merged {
            let deleted = try connection.execute(
                "DELETE FROM metric_chunks WHERE id = ?", [.integer(id)])
            guard deleted == 1 else { throw Changed() }
        }
        for chunk in plan.chunks { try ChunkStore.insert(connection, run: run, chunk) }
    }
}
