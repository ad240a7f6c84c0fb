package import LinajeDomain
import LinajePluginKit

/// Puts the points of series into buckets, on one snapshot of the database.
///
/// A chunk that is in one bucket as a whole is answered from its row; the others are unpacked, one
/// at a time. So a bucket costs memory, a point does not.
struct MetricDownsampling: Sendable {
    /// Buckets that are made at the same time, over all series.
    static let maximumBuckets = 200_000

    let run: RunID
    let query: MetricBucketQuery

    /// A series that is divided, its range, and what was found so far.
    private struct Division {
        var scale: BucketScale
        var buckets: [SeriesSummary]
    }

    /// The buckets of series, in their order; each with those that have points.
    ///
    /// - Parameter series: at most `maximumBuckets / query.count`, with what is known of them.
    func buckets(
        _ connection: any SQLConnection, of series: [MetricSummary]
    ) throws -> [(MetricSeries, [MetricBucket])] {
        let names = series.map(\.series)
        let chunks = try ChunkStore.list(
            connection, run: run, series: names, query: query.points)
        let times = query.axis == .time ? try self.times(connection) : nil
        var places: [MetricSeries: Int] = [:]
        var divisions: [Division] = []
        for summary in series {
            guard let range = range(of: summary, times) else { continue }
            places[summary.series] = divisions.count
            divisions.append(
                Division(
                    scale: BucketScale(range, count: query.count),
                    buckets: [SeriesSummary](repeating: SeriesSummary(), count: query.count)))
        }
        let planes = PlaneReader()
        for chunk in chunks {
            guard let place = places[chunk.series] else { continue }
            if let bucket = bucket(of: chunk, divisions[place].scale) {
                divisions[place].buckets[bucket].merge(chunk.summary)
            } else if let points = try ChunkStore.points(
                connection, run: run, id: chunk.id, with: planes)
            {
                fold(
                    points, areSorted: true, segment: chunk.order.segment,
                    into: &divisions[place])
            }
        }
        try foldSegments(connection, places, &divisions)
        return names.compactMap { name in
            guard let place = places[name] else { return nil }
            let buckets = divisions[place].buckets.filter { $0.count > 0 }
            return buckets.isEmpty ? nil : (name, buckets.map(\.bucket))
        }
    }

    private func foldSegments(
        _ connection: any SQLConnection, _ places: [MetricSeries: Int],
        _ divisions: inout [Division]
    ) throws {
        try SegmentStore.read(connection, run: run, through: .max, query: query.points) {
            id, segment in
            for (series, columns) in segment.bySeries() {
                guard let place = places[series] else { continue }
                fold(columns, areSorted: false, segment: id, into: &divisions[place])
            }
        }
    }

    /// What is divided: the wanted range as far as the series has points.
    private func range(
        of summary: MetricSummary, _ times: ClosedRange<Int64>?
    ) -> ClosedRange<Int64>? {
        let (own, wanted) =
            query.axis == .step
            ? (summary.first.step...max(summary.first.step, summary.last.step), query.points.steps)
            : (times ?? 0...0, query.points.times)
        guard let wanted else { return own }
        return wanted.overlaps(own) ? wanted.clamped(to: own) : nil
    }

    /// The times that points of the run have, of whatever series.
    private func times(_ connection: any SQLConnection) throws -> ClosedRange<Int64>? {
        var bounds: [Int64] = []
        for table in ["metric_chunks", "metric_segments"] {
            try connection.query(
                "SELECT MIN(min_time), MAX(max_time) FROM \(table) WHERE run = ?",
                [.blob(run.array)]
            ) { if !$0.isNull(0) { bounds += [try $0.int(0), try $0.int(1)] } }
        }
        guard let low = bounds.min(), let high = bounds.max() else { return nil }
        return low...high
    }

    /// The bucket that a chunk is in as a whole, with all of its points wanted.
    private func bucket(of chunk: StoredChunk, _ scale: BucketScale) -> Int? {
        let steps =
            chunk.summary.first
            .step...max(
                chunk.summary.first.step, chunk.summary.last.step)
        guard query.points.steps.map({ $0.contains(steps) }) ?? true,
            query.points.times.map({ $0.contains(chunk.times) }) ?? true
        else { return nil }
        let range = query.axis == .step ? steps : chunk.times
        guard scale.range.contains(range) else { return nil }
        let bucket = scale[range.lowerBound]
        return bucket == scale[range.upperBound] ? bucket : nil
    }

    private func fold(
        _ columns: MetricColumns, areSorted: Bool, segment: Int64,
        into division: inout Division
    ) {
        let axis = query.axis == .step ? columns.steps : columns.times
        let isBounded = query.points.steps != nil || query.points.times != nil
        let scale = division.scale
        var start = 0
        while start < axis.count {
            // What came after the range was looked up is not in it.
            guard scale.range.contains(axis[start]),
                !isBounded || query.points.includes(columns[start])
            else {
                start += 1
                continue
            }
            let bucket = scale[axis[start]]
            // Neighbours are mostly in the same bucket, and comparing costs less than dividing.
            let numbers = scale.numbers(of: bucket)
            var end = start + 1
            while !isBounded, end < axis.count, numbers.contains(axis[end]) { end += 1 }
            if areSorted {
                division.buckets[bucket].fold(
                    sorted: columns, start..<end, segment: segment)
            } else {
                division.buckets[bucket].fold(columns, start..<end, segment: segment)
            }
            start = end
        }
    }
}

extension SeriesSummary {
    /// Takes in a range of points of one segment.
    mutating func fold(_ columns: MetricColumns, _ range: Range<Int>, segment: Int64) {
        var summary = self
        for place in range {
            summary.fold(
                columns.steps[place], columns.times[place], columns.values[place],
                segment: segment)
        }
        self = summary
    }

    /// As a bucket of a history.
    var bucket: MetricBucket {
        MetricBucket(
            count: count, nanCount: nanCount, min: min, max: max, first: first, last: last)
    }
}

extension MetricStore {
    /// The points of a run's series in buckets, series by series, ordered by key.
    ///
    /// - Throws: `corrupt` naming what cannot be read; the stream, `notFound` when the run is deleted
    ///   meanwhile.
    package func buckets(
        _ run: RunID, _ query: MetricBucketQuery
    ) async throws -> AsyncThrowingStream<(MetricSeries, [MetricBucket]), any Error> {
        let reading = readings.begin(run)
        let series = try await summaries(run, keys: query.points.keys)
        let backend = backend
        let downsampling = MetricDownsampling(run: run, query: query)
        let groupSize = max(1, MetricDownsampling.maximumBuckets / query.count)
        let groups = Cursor(
            stride(from: 0, to: series.count, by: groupSize).map {
                Array(series[$0..<min(series.count, $0 + groupSize)])
            })
        return AsyncThrowingStream {
            while true {
                try reading.check()
                if let next = groups.nextReady() { return next }
                guard let group = groups.nextGroup() else { return nil }
                try Task.checkCancellation()
                groups.add(
                    try await backend.read { try downsampling.buckets($0, of: group) })
            }
        }
    }

    /// What one reader has had of the groups; pulled by one task.
    private final class Cursor: Sendable {
        private struct State {
            var groups: ArraySlice<[MetricSummary]>
            var ready: [(MetricSeries, [MetricBucket])] = []
        }
        private let state: Locked<State>

        init(_ groups: [[MetricSummary]]) { state = Locked(State(groups: groups[...])) }

        func nextReady() -> (MetricSeries, [MetricBucket])? {
            state.withLock { $0.ready.popLast() }
        }
        func nextGroup() -> [MetricSummary]? { state.withLock { $0.groups.popFirst() } }
        func add(_ buckets: [(MetricSeries, [MetricBucket])]) {
            state.withLock { $0.ready = buckets.reversed() }
        }
    }
}
