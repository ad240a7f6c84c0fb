import LinajeDomain
import LinajePluginKit

/// What the row of a chunk says, without its bytes.
struct StoredChunk: Sendable {
    var id: Int64
    var series: MetricSeries
    var order: ArrivalOrder
    /// What is known of its points; its segments are `order.segment`.
    var summary: SeriesSummary
    var times: ClosedRange<Int64>
}

/// Where a chunk or segment stands among the others of its run, for points of the same step and
/// time: those of the lower one arrived first.
struct ArrivalOrder: Sendable, Hashable, Comparable {
    var segment: Int64
    var part: Int64

    static func < (left: Self, right: Self) -> Bool {
        (left.segment, left.part) < (right.segment, right.part)
    }
}

/// Chunks in the database.
enum ChunkStore {
    private static let columns =
        "id, series, last_segment, part, is_open, points, nans, min_bits, max_bits, first_step, "
        + "first_time, first_bits, last_step, last_time, last_bits, min_time, max_time"

    private static let insert =
        "INSERT INTO metric_chunks (run, \(columns.dropFirst(4)), data) VALUES "
        + "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

    /// The chunks of a run that may hold what a query wants, in the order of arrival.
    ///
    /// - Parameter series: only of these; `nil`: of all.
    static func list(
        _ connection: any SQLConnection, run: RunID, series: [MetricSeries]? = nil,
        query: MetricQuery = MetricQuery()
    ) throws -> [StoredChunk] {
        var (condition, arguments) = query.chunkCondition
        arguments.insert(.blob(run.array), at: 0)
        if let series, series.count <= maximumNamedSeries {
            condition += " AND series IN (\(placeholders(series.count)))"
            arguments += series.map { .blob($0.encoded) }
        }
        let wanted = series.map(Set.init)
        return try connection.all(
            "SELECT \(columns) FROM metric_chunks WHERE run = ?\(condition) "
                + "ORDER BY last_segment, part", arguments
        ) { try chunk($0, run: run) }.filter { wanted?.contains($0.series) ?? true }
    }

    /// The chunks of a run that may still be merged, in the order of arrival.
    static func open(
        _ connection: any SQLConnection, run: RunID
    ) throws -> [MetricSeries: [StoredChunk]] {
        let chunks = try connection.all(
            "SELECT \(columns) FROM metric_chunks WHERE run = ? AND is_open = 1 "
                + "ORDER BY last_segment, part", [.blob(run.array)]
        ) { try chunk($0, run: run) }
        return Dictionary(grouping: chunks, by: \.series)
    }

    /// The points of a chunk; `nil` when it is not there any more.
    ///
    /// - Throws: `corrupt` naming run and chunk.
    static func points(
        _ connection: any SQLConnection, run: RunID, id: Int64, with planes: PlaneReader
    ) throws -> MetricColumns? {
        try connection.first("SELECT data FROM metric_chunks WHERE id = ?", [.integer(id)]) {
            try MetricChunk(decoding: $0.blob(0), run: run, id: id, with: planes).columns
        }
    }

    static func insert(
        _ connection: any SQLConnection, run: RunID, _ chunk: NewChunk
    ) throws {
        let summary = chunk.summary
        try connection.execute(
            insert,
            [
                .blob(run.array), .blob(chunk.series.encoded), .integer(chunk.order.segment),
                .integer(chunk.order.part), .bool(chunk.isOpen),
                .integer(Int64(clamping: summary.count)),
                .integer(Int64(clamping: summary.nanCount)),
                summary.min.map(bits) ?? .null, summary.max.map(bits) ?? .null,
                .integer(summary.first.step), .integer(summary.first.time),
                bits(summary.first.value), .integer(summary.last.step),
                .integer(summary.last.time), bits(summary.last.value),
                .integer(chunk.times.low), .integer(chunk.times.high), .blob(chunk.data),
            ])
    }

    /// Most series that a statement names; more are sorted out by the reader.
    private static let maximumNamedSeries = 500

    private static func chunk(_ row: any SQLRow, run: RunID) throws -> StoredChunk {
        guard let series = try MetricSeries(encoded: row.blob(1)) else {
            throw LinajeError(
                .corrupt,
                "metric chunk \(try row.int(0)) of run \(run) has a series that cannot be read; "
                    + "restore metrics.db from a copy")
        }
        func double(_ index: Int) throws -> Double {
            Double(bitPattern: UInt64(bitPattern: try row.int(index)))
        }
        let segment = try row.int(2)
        let times = (try row.int(15), try row.int(16))
        return StoredChunk(
            id: try row.int(0), series: series,
            order: ArrivalOrder(segment: segment, part: try row.int(3)),
            summary: SeriesSummary(
                count: UInt64(clamping: try row.int(5)),
                nanCount: UInt64(clamping: try row.int(6)),
                min: row.isNull(7) ? nil : try double(7),
                max: row.isNull(8) ? nil : try double(8),
                first: MetricPoint(
                    step: try row.int(9), time: try row.int(10), value: try double(11)),
                firstSegment: segment,
                last: MetricPoint(
                    step: try row.int(12), time: try row.int(13), value: try double(14)),
                lastSegment: segment, touched: segment),
            times: times.0...max(times.0, times.1))
    }

    private static func bits(_ value: Double) -> SQLValue {
        .integer(Int64(bitPattern: value.bitPattern))
    }

    private static func placeholders(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ", ")
    }
}

/// A chunk that is about to be stored.
struct NewChunk: Sendable {
    var series: MetricSeries
    var order: ArrivalOrder
    var isOpen: Bool
    var summary: SeriesSummary
    var times: ColumnBounds
    var data: [UInt8]

    /// Packs points that are in order.
    init(
        _ columns: MetricColumns, of series: MetricSeries, order: ArrivalOrder, isOpen: Bool,
        with planes: PlaneWriter
    ) {
        self.series = series
        self.order = order
        self.isOpen = isOpen
        summary = SeriesSummary()
        summary.fold(columns, segment: order.segment)
        times = ColumnBounds(columns.times)
        data = MetricChunk(columns: columns).encoded(with: planes)
    }
}

extension MetricQuery {
    /// What leaves out chunks that have no point in the ranges.
    var chunkCondition: (sql: String, arguments: [SQLValue]) {
        var sql = ""
        var arguments: [SQLValue] = []
        if let steps {
            sql += " AND last_step >= ? AND first_step <= ?"
            arguments += [.integer(steps.lowerBound), .integer(steps.upperBound)]
        }
        if let times {
            sql += " AND max_time >= ? AND min_time <= ?"
            arguments += [.integer(times.lowerBound), .integer(times.upperBound)]
        }
        return (sql, arguments)
    }
}
