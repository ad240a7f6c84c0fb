import LinajeDomain
import LinajePluginKit

/// Segments in the database.
enum SegmentStore {
    /// Calls `body` with the segments of a run that may hold what a query wants, oldest first.
    ///
    /// - Parameter through: the last segment to be read.
    static func read(
        _ connection: any SQLConnection, run: RunID, through: Int64, query: MetricQuery,
        _ body: (Int64, MetricSegment) throws -> Void
    ) throws {
        let (condition, arguments) = query.segmentCondition
        try connection.query(
            "SELECT id, data FROM metric_segments WHERE run = ? AND id <= ?\(condition) "
                + "ORDER BY id", [.blob(run.array), .integer(through)] + arguments
        ) { row in
            let id = try row.int(0)
            try body(id, MetricSegment(decoding: row.blob(1), run: run, id: id))
        }
    }

    /// The points of one series in a segment, in order; `nil` when it is not there any more.
    ///
    /// - Throws: `corrupt` naming run and segment.
    static func points(
        _ connection: any SQLConnection, run: RunID, id: Int64, of series: MetricSeries
    ) throws -> MetricColumns? {
        try connection.first("SELECT data FROM metric_segments WHERE id = ?", [.integer(id)]) {
            let segment = try MetricSegment(decoding: $0.blob(0), run: run, id: id)
            let wanted = segment.series.map { $0 == series }
            var columns = SortableColumns()
            segment.forEachPoint { if wanted[$0] { columns.append($1) } }
            columns.sort()
            return columns.columns
        }
    }

    /// The segments of a run that may hold what a query wants.
    static func sources(
        _ connection: any SQLConnection, run: RunID, through: Int64, query: MetricQuery
    ) throws -> [PointSource] {
        let (condition, arguments) = query.segmentCondition
        return try connection.all(
            "SELECT id, min_step, max_step FROM metric_segments WHERE run = ? AND id <= ?"
                + condition, [.blob(run.array), .integer(through)] + arguments
        ) { row in
            let id = try row.int(0)
            return PointSource(
                id: id, isChunk: false, order: ArrivalOrder(segment: id, part: 0),
                lowStep: try row.int(1), highStep: try row.int(2))
        }
    }
}
