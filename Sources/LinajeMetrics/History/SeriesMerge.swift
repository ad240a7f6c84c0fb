import LinajeDomain

/// Columns that are put in the order (step, time), points equal in both staying as they came.
struct SortableColumns {
    private(set) var columns = MetricColumns()
    private var isSorted = true

    var count: Int { columns.count }

    mutating func append(_ point: MetricPoint) {
        if isSorted, count > 0, MetricPoint.precedes(point, columns[count - 1]) {
            isSorted = false
        }
        columns.append(point)
    }

    mutating func sort() {
        guard !isSorted else { return }
        let before = columns
        let order = (0..<count).sorted { left, right in
            let (first, second) = (before[left], before[right])
            if MetricPoint.precedes(first, second) { return true }
            if MetricPoint.precedes(second, first) { return false }
            return left < right
        }
        columns = MetricColumns(
            steps: order.map { before.steps[$0] }, times: order.map { before.times[$0] },
            values: order.map { before.values[$0] })
        isSorted = true
    }
}

/// Brings one large series into order without having all of it in memory.
///
/// Segments are read in the order of their lowest step: once one with lowest step *s* is read, no
/// later one holds a point below *s*, so everything below it can be handed out.
struct SeriesMerge {
    struct Segment: Sendable, Hashable {
        var id: Int64
        var lowStep: Int64
    }

    private struct Arrived {
        var point: MetricPoint
        var segment: Int64
        var place: Int

        static func precedes(_ left: Arrived, _ right: Arrived) -> Bool {
            if MetricPoint.precedes(left.point, right.point) { return true }
            if MetricPoint.precedes(right.point, left.point) { return false }
            return (left.segment, left.place) < (right.segment, right.place)
        }
    }

    let series: MetricSeries
    private let segments: [Segment]
    private let query: MetricQuery
    private var next = 0
    private var held: [Arrived] = []

    init(series: MetricSeries, segments: [Segment], query: MetricQuery) {
        self.series = series
        self.segments = segments
        self.query = query
    }

    var isDone: Bool { next == segments.count && held.isEmpty }

    /// The segments to read next, at most `count`; `nil` when all are read.
    mutating func nextSegments(_ count: Int) -> [Int64]? {
        guard next < segments.count else { return nil }
        let range = next..<min(segments.count, next + count)
        next = range.upperBound
        return segments[range].map(\.id)
    }

    /// Takes in what was read and gives out the points that nothing can come before any more.
    mutating func take(_ read: [(Int64, MetricSegment)]) -> MetricColumns {
        for (id, segment) in read {
            let wanted = segment.series.map { $0 == series }
            var place = 0
            segment.forEachPoint { index, point in
                if wanted[index], query.includes(point) {
                    held.append(Arrived(point: point, segment: id, place: place))
                }
                place += 1
            }
        }
        held.sort(by: Arrived.precedes)
        let end: Int
        if next < segments.count {
            let bound = segments[next].lowStep
            end = held.firstIndex { $0.point.step >= bound } ?? held.count
        } else {
            end = held.count
        }
        var out = MetricColumns()
        for arrived in held[..<end] { out.append(arrived.point) }
        held.removeFirst(end)
        return out
    }
}

extension MetricSegment {
    /// Calls `body` with each point and the place of its series, in the order of arrival.
    func forEachPoint(_ body: (Int, MetricPoint) -> Void) {
        for point in 0..<count {
            body(seriesIndex.isEmpty ? 0 : Int(seriesIndex[point]), columns[point])
        }
    }
}
