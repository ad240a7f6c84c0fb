import LinajeDomain
import LinajePluginKit

/// Reads the points of a run, piece by piece, as somebody pulls them.
///
/// Series come one after the other, each in the order (step, time, arrival). Small series are read
/// in groups of about a million points, on one snapshot; a large one is merged from its chunks and
/// segments in the order of their first step, which holds in memory only what overlaps and what is
/// read ahead while somebody else is at the last points.
///
/// Every point that was durable at the first pull is seen exactly once, in order, also when
/// compaction moves points while they are read: then the merge goes on over what is stored now, after
/// the last point that it gave out. Points that arrive later are seen only where compaction has put
/// them among older ones.
actor MetricHistory {
    /// Points of a piece at most.
    static let piecePoints = 16_384
    /// Points of a group of series.
    static let groupPoints: UInt64 = 1 << 20
    /// Points from which on a series is a large one.
    private static let largePoints: UInt64 = 1 << 17
    /// Chunks and segments read in one go.
    private static let sourcesPerRead = 8

    private enum Part {
        case group([MetricSeries])
        case large(MetricSeries)
    }

    private let backend: any SQLBackend
    private let run: RunID
    private let query: MetricQuery
    private let reading: RunReadings.Reading
    private let groupPoints: UInt64
    private let plan: @Sendable () async throws -> [MetricSummary]

    private var parts: [Part]?
    private var through: Int64 = 0
    private var remaining: UInt64
    /// Sorted points that were not handed out yet, the next series last.
    private var ready: [(series: MetricSeries, columns: MetricColumns, next: Int)] = []
    private var merge: (series: MetricSeries, state: SeriesMerge)?
    /// What the merge takes next, while what it took before is handed out.
    private var ahead: Task<[MetricColumns]?, any Error>?

    /// - Parameter plan: the summaries of the series that the query names.
    init(
        backend: any SQLBackend, run: RunID, query: MetricQuery, reading: RunReadings.Reading,
        groupPoints: UInt64 = MetricHistory.groupPoints,
        plan: @escaping @Sendable () async throws -> [MetricSummary]
    ) {
        self.backend = backend
        self.run = run
        self.query = query
        self.reading = reading
        self.groupPoints = groupPoints
        self.plan = plan
        remaining = query.limit == 0 ? .max : query.limit
    }

    deinit { ahead?.cancel() }

    /// The next piece; `nil` at the end.
    ///
    /// - Throws: `corrupt` naming a segment that cannot be read; `notFound` when the run was deleted.
    func next() async throws -> (MetricSeries, MetricColumns)? {
        try await prepare()
        while remaining > 0 {
            guard !Task.isCancelled else {
                throw LinajeError(.cancelled, "history of run \(run) was not wanted any more")
            }
            // What was read may be a part of what there was.
            try reading.check()
            if let piece = handOut() { return piece }
            if merge != nil {
                try await advanceMerge()
                continue
            }
            guard let part = parts?.popLast() else { return nil }
            switch part {
            case .group(let series): try await load(series)
            case .large(let series):
                merge = (
                    series, SeriesMerge(sources: try await sources(of: series), query: query)
                )
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
            if summary.count > min(groupPoints, Self.largePoints) {
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
        return (series, columns[next..<next + size])
    }

    /// Reads a group of series on one snapshot: chunks hold what arrived first.
    private func load(_ series: [MetricSeries]) async throws {
        let (run, query, through) = (run, query, through)
        let sorted = try await backend.read { connection in
            var places: [MetricSeries: Int] = [:]
            for (place, one) in series.enumerated() { places[one] = place }
            var columns = [SortableColumns](repeating: SortableColumns(), count: series.count)
            let planes = PlaneReader()
            let chunks = try ChunkStore.list(connection, run: run, series: series, query: query)
            for chunk in chunks {
                guard let place = places[chunk.series],
                    let points = try ChunkStore.points(
                        connection, run: run, id: chunk.id, with: planes)
                else { continue }
                columns[place].append(query.wanted(of: points))
            }
            try SegmentStore.read(connection, run: run, through: through, query: query) {
                let here = $1.series.map { places[$0] }
                $1.forEachPoint { place, point in
                    guard let place = here[place], query.includes(point) else { return }
                    columns[place].append(point)
                }
            }
            for place in columns.indices { columns[place].sort() }
            return columns.map(\.columns)
        }
        for place in series.indices.reversed() where sorted[place].count > 0 {
            ready.append((series[place], sorted[place], 0))
        }
    }

    private func advanceMerge() async throws {
        guard let series = merge?.series, let reading = ahead ?? readAhead() else {
            merge = nil
            return
        }
        ahead = nil
        guard let read = try await reading.value else {
            // Compacted meanwhile: the same points are in other places now.
            let cursor = merge?.state.cursor
            let sources = try await sources(of: series)
            merge = (series, SeriesMerge(sources: sources, query: query, after: cursor))
            return
        }
        let ripe = merge?.state.take(read) ?? []
        // The next to hand out is the last.
        for columns in ripe.reversed() { ready.append((series, columns, 0)) }
        if merge?.state.isDone == true {
            merge = nil
        } else if remaining > ripe.reduce(0, { $0 + UInt64($1.count) }) {
            ahead = readAhead()
        }
    }

    /// Begins to read the next sources of the merge; `nil` when all are read. What is read is `nil`
    /// when one is not there any more.
    private func readAhead() -> Task<[MetricColumns]?, any Error>? {
        guard let series = merge?.series,
            let wanted = merge?.state.nextSources(Self.sourcesPerRead)
        else { return nil }
        let (backend, run) = (backend, run)
        return Task {
            try await backend.read { connection in
                let planes = PlaneReader()
                var read: [MetricColumns] = []
                for source in wanted {
                    let columns =
                        source.isChunk
                        ? try ChunkStore.points(connection, run: run, id: source.id, with: planes)
                        : try SegmentStore.points(connection, run: run, id: source.id, of: series)
                    guard let columns else { return nil }
                    read.append(columns)
                }
                return read
            }
        }
    }

    /// Where points of a series are that the query may want.
    private func sources(of series: MetricSeries) async throws -> [PointSource] {
        let (run, query, through) = (run, query, through)
        return try await backend.read { connection in
            let chunks = try ChunkStore.list(connection, run: run, series: [series], query: query)
            return chunks.map { chunk in
                PointSource(
                    id: chunk.id, isChunk: true, order: chunk.order,
                    lowStep: chunk.summary.first.step, highStep: chunk.summary.last.step)
            } + (try SegmentStore.sources(connection, run: run, through: through, query: query))
        }
    }
}

extension MetricQuery {
    /// Whether the point is in the ranges.
    func includes(_ point: MetricPoint) -> Bool {
        (steps?.contains(point.step) ?? true) && (times?.contains(point.time) ?? true)
    }

    /// The points that are in the ranges.
    func wanted(of columns: MetricColumns) -> MetricColumns {
        guard steps != nil || times != nil else { return columns }
        var kept = MetricColumns()
        for place in 0..<columns.count where includes(columns[place]) {
            kept.append(columns[place])
        }
        return kept
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
