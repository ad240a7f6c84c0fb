import LinajeDomain
import LinajePluginKit

/// Reads the points of a run, piece by piece, as somebody pulls them.
///
/// Series come one after the other, each in the order (step, time, arrival). Series are read in
/// groups of about a million points, so that many small ones need one pass over the segments; a
/// larger series is merged from its segments in the order of their first step, which holds in
/// memory only what overlaps. Points that arrive after the first pull are not seen.
actor MetricHistory {
    /// Points of a piece at most.
    static let piecePoints = 16_384
    /// Points of a group of series.
    static let groupPoints: UInt64 = 1 << 20
    /// Segments read in one go.
    private static let segmentsPerRead = 64

    private enum Part {
        case group([MetricSeries])
        case large(MetricSeries)
    }

    private let backend: any SQLBackend
    private let run: RunID
    private let query: MetricQuery
    private let groupPoints: UInt64
    private let plan: @Sendable () async throws -> [MetricSummary]

    private var parts: [Part]?
    private var through: Int64 = 0
    private var remaining: UInt64
    /// Sorted points that were not handed out yet, the next series last.
    private var ready: [(series: MetricSeries, columns: MetricColumns, next: Int)] = []
    private var merge: SeriesMerge?

    /// - Parameter plan: the summaries of the series that the query names.
    init(
        backend: any SQLBackend, run: RunID, query: MetricQuery,
        groupPoints: UInt64 = MetricHistory.groupPoints,
        plan: @escaping @Sendable () async throws -> [MetricSummary]
    ) {
        self.backend = backend
        self.run = run
        self.query = query
        self.groupPoints = groupPoints
        self.plan = plan
        remaining = query.limit == 0 ? .max : query.limit
    }

    /// The next piece; `nil` at the end.
    ///
    /// - Throws: `corrupt` naming a segment that cannot be read.
    func next() async throws -> (MetricSeries, MetricColumns)? {
        try await prepare()
        while remaining > 0 {
            guard !Task.isCancelled else {
                throw LinajeError(.cancelled, "history of run \(run) was not wanted any more")
            }
            if let piece = handOut() { return piece }
            if merge != nil {
                try await advanceMerge()
                continue
            }
            guard let part = parts?.popLast() else { return nil }
            switch part {
            case .group(let series): try await load(series)
            case .large(let series):
                merge = SeriesMerge(
                    series: series, segments: try await segmentsByStep(), query: query)
            }
        }
        return nil
    }

    private func prepare() async throws {
        guard parts == nil else { return }
        let run = run
        through = try await backend.read { connection in
            try connection.first(
                "SELECT max(id) FROM metric_segments WHERE run = ?", [.blob(run.array)]
            ) { $0.isNull(0) ? 0 : try $0.int(0) } ?? 0
        }
        var parts: [Part] = []
        var group: [MetricSeries] = []
        var points: UInt64 = 0
        for summary in try await plan() {
            if summary.count > groupPoints {
                if !group.isEmpty { parts.append(.group(group)) }
                parts.append(.large(summary.series))
                (group, points) = ([], 0)
                continue
            }
            if points + summary.count > groupPoints {
                parts.append(.group(group))
                (group, points) = ([], 0)
            }
            group.append(summary.series)
            points += summary.count
        }
        if !group.isEmpty { parts.append(.group(group)) }
        self.parts = parts.reversed()
    }

    private func handOut() -> (MetricSeries, MetricColumns)? {
        guard let (series, columns, next) = ready.last else { return nil }
        let size = min(columns.count - next, Self.piecePoints, Int(clamping: remaining))
        remaining -= UInt64(size)
        if next + size == columns.count {
            ready.removeLast()
        } else {
            ready[ready.count - 1].next += size
        }
        guard next > 0 || size < columns.count else { return (series, columns) }
        let range = next..<next + size
        return (
            series,
            MetricColumns(
                steps: Array(columns.steps[range]), times: Array(columns.times[range]),
                values: Array(columns.values[range]))
        )
    }

    /// Reads a group of series in one pass over the segments.
    private func load(_ series: [MetricSeries]) async throws {
        var places: [MetricSeries: Int] = [:]
        for (place, one) in series.enumerated() { places[one] = place }
        var columns = [SortableColumns](repeating: SortableColumns(), count: series.count)
        var after: Int64 = 0
        while true {
            let segments = try await segments(after: after)
            for (_, segment) in segments {
                let here = segment.series.map { places[$0] }
                segment.forEachPoint { place, point in
                    guard let place = here[place], query.includes(point) else { return }
                    columns[place].append(point)
                }
            }
            guard let last = segments.last?.id, segments.count == Self.segmentsPerRead else {
                break
            }
            after = last
        }
        for place in series.indices.reversed() where columns[place].count > 0 {
            columns[place].sort()
            ready.append((series[place], columns[place].columns, 0))
        }
    }

    private func advanceMerge() async throws {
        guard let ids = merge?.nextSegments(Self.segmentsPerRead), let series = merge?.series
        else {
            merge = nil
            return
        }
        let run = run
        let read = try await backend.read { connection in
            try ids.map { id in
                let data = try connection.first(
                    "SELECT data FROM metric_segments WHERE id = ?", [.integer(id)]
                ) { try $0.blob(0) }
                guard let data else {
                    throw LinajeError(.corrupt, "metric segment \(id) of run \(run) is gone")
                }
                return (id, try MetricSegment(decoding: data, run: run, id: id))
            }
        }
        if let columns = merge?.take(read), columns.count > 0 {
            ready.append((series, columns, 0))
        }
        if merge?.isDone == true { merge = nil }
    }

    private func segments(after: Int64) async throws -> [(id: Int64, MetricSegment)] {
        let (condition, arguments) = query.segmentCondition
        let (run, through) = (run, through)
        return try await backend.read { connection in
            try connection.all(
                "SELECT id, data FROM metric_segments WHERE run = ? AND id > ? AND id <= ?"
                    + condition + " ORDER BY id LIMIT \(Self.segmentsPerRead)",
                [.blob(run.array), .integer(after), .integer(through)] + arguments
            ) { row in
                let id = try row.int(0)
                return (id: id, try MetricSegment(decoding: row.blob(1), run: run, id: id))
            }
        }
    }

    /// The segments that may hold wanted points, by their lowest step.
    private func segmentsByStep() async throws -> [SeriesMerge.Segment] {
        let (condition, arguments) = query.segmentCondition
        let (run, through) = (run, through)
        return try await backend.read { connection in
            try connection.all(
                "SELECT id, min_step FROM metric_segments WHERE run = ? AND id <= ?"
                    + condition + " ORDER BY min_step, id",
                [.blob(run.array), .integer(through)] + arguments
            ) { SeriesMerge.Segment(id: try $0.int(0), lowStep: try $0.int(1)) }
        }
    }
}

extension MetricQuery {
    /// Whether the point is in the ranges.
    func includes(_ point: MetricPoint) -> Bool {
        (steps?.contains(point.step) ?? true) && (times?.contains(point.time) ?? true)
    }

    /// What leaves out segments that have no point in the ranges.
    var segmentCondition: (sql: String, arguments: [SQLValue]) {
        var sql = ""
        var arguments: [SQLValue] = []
        if let steps {
            sql += " AND max_step >= ? AND min_step <= ?"
            arguments += [.integer(steps.lowerBound), .integer(steps.upperBound)]
        }
        if let times {
            sql += " AND max_time >= ? AND min_time <= ?"
            arguments += [.integer(times.lowerBound), .integer(times.upperBound)]
        }
        return (sql, arguments)
    }
}
