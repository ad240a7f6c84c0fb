import LinajeDomain

/// Where points of a series are stored.
struct PointSource: Sendable, Hashable {
    /// The row's number among chunks, or among segments.
    var id: Int64
    var isChunk: Bool
    var order: ArrivalOrder
    var lowStep: Int64
    var highStep: Int64
}

/// Brings one large series into order without having all of it in memory.
///
/// Sources are read in the order of their lowest step: once one with lowest step *s* is read, no
/// later one holds a point below *s*, so everything below it can be handed out. A source that
/// overlaps with no other, as most chunks are, is handed out as it is.
struct SeriesMerge {
    private struct Arrived {
        var point: MetricPoint
        var order: ArrivalOrder
        var place: Int

        static func precedes(_ left: Arrived, _ right: Arrived) -> Bool {
            if MetricPoint.precedes(left.point, right.point) { return true }
            if MetricPoint.precedes(right.point, left.point) { return false }
            return (left.order, left.place) < (right.order, right.place)
        }
    }

    /// The last place that was handed out: a point, and how many points of its step and time.
    ///
    /// From here a merge can go on over other sources that hold the same points, as compaction
    /// leaves them: points of one step and time keep their order, and later ones come after them.
    struct Cursor: Sendable, Hashable {
        var step: Int64
        var time: Int64
        var count: Int
    }

    private let sources: [PointSource]
    private let query: MetricQuery
    /// Sources that were asked for, and those of them that were taken in.
    private var next = 0
    private var taken = 0
    private var held: [Arrived] = []
    private(set) var cursor: Cursor?
    /// Points that were handed out before, of the cursor's step and time.
    private var skipping: (cursor: Cursor, left: Int)?

    /// - Parameters:
    ///   - sources: of one series.
    ///   - cursor: where an earlier merge of the same series has come to.
    init(sources: [PointSource], query: MetricQuery, after cursor: Cursor? = nil) {
        self.sources = sources.filter { $0.highStep >= cursor?.step ?? .min }.sorted {
            ($0.lowStep, $0.order) < ($1.lowStep, $1.order)
        }
        self.query = query
        self.cursor = cursor
        skipping = cursor.map { ($0, $0.count) }
    }

    var isDone: Bool { taken == sources.count && held.isEmpty }

    /// The sources to read next, at most `count`; `nil` when all are read.
    mutating func nextSources(_ count: Int) -> ArraySlice<PointSource>? {
        guard next < sources.count else { return nil }
        let range = next..<min(sources.count, next + count)
        next = range.upperBound
        return sources[range]
    }

    /// Takes in what was read of the sources that `nextSources` gave, in that order, each in order,
    /// and gives out the points that nothing can come before any more.
    mutating func take(_ read: [MetricColumns]) -> [MetricColumns] {
        var out: [MetricColumns] = []
        let first = taken
        taken += read.count
        for (index, columns) in read.enumerated() {
            let source = sources[first + index]
            let bound = first + index + 1 < sources.count ? sources[first + index + 1].lowStep : nil
            if held.isEmpty, bound.map({ source.highStep < $0 }) ?? true {
                out.append(wanted(columns))
                continue
            }
            for place in 0..<columns.count {
                held.append(Arrived(point: columns[place], order: source.order, place: place))
            }
        }
        if !held.isEmpty { out.append(wanted(ripe())) }
        out.removeAll { $0.count == 0 }
        return out
    }

    /// Those held points that no source to come can precede.
    private mutating func ripe() -> MetricColumns {
        held.sort(by: Arrived.precedes)
        let bound = taken < sources.count ? sources[taken].lowStep : nil
        let end =
            bound.flatMap { bound in held.firstIndex { $0.point.step >= bound } } ?? held.count
        var columns = MetricColumns()
        for arrived in held[..<end] { columns.append(arrived.point) }
        held.removeFirst(end)
        return columns
    }

    /// Leaves out what the query does not want and what was handed out before, and moves the cursor.
    private mutating func wanted(_ columns: MetricColumns) -> MetricColumns {
        var columns = columns
        if skipping != nil || query.steps != nil || query.times != nil {
            var kept = MetricColumns()
            for place in 0..<columns.count {
                let point = columns[place]
                if query.includes(point), !skips(point) { kept.append(point) }
            }
            columns = kept
        }
        moveCursor(over: columns)
        return columns
    }

    private mutating func skips(_ point: MetricPoint) -> Bool {
        guard let (cursor, left) = skipping else { return false }
        if (point.step, point.time) < (cursor.step, cursor.time) { return true }
        guard left > 0, (point.step, point.time) == (cursor.step, cursor.time) else {
            skipping = nil
            return false
        }
        skipping = (cursor, left - 1)
        return true
    }

    private mutating func moveCursor(over columns: MetricColumns) {
        guard columns.count > 0 else { return }
        let last = columns[columns.count - 1]
        var count = 0
        while count < columns.count, columns.steps[columns.count - 1 - count] == last.step,
            columns.times[columns.count - 1 - count] == last.time
        {
            count += 1
        }
        if count == columns.count, let cursor, (cursor.step, cursor.time) == (last.step, last.time)
        {
            count += cursor.count
        }
        cursor = Cursor(step: last.step, time: last.time, count: count)
    }
}
