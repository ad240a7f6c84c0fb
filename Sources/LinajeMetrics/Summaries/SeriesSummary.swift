import LinajeDomain

/// What is known of one series of one writer, or of all, with the segments its ends came in:
/// those order points of several writers by arrival.
struct SeriesSummary: Sendable, Hashable {
    var count: UInt64 = 0
    var nanCount: UInt64 = 0
    var min: Double?
    var max: Double?
    var first = MetricPoint(step: 0, time: 0, value: 0)
    var firstSegment: Int64 = 0
    var last = MetricPoint(step: 0, time: 0, value: 0)
    var lastSegment: Int64 = 0
    /// The last segment that held a point.
    var touched: Int64 = 0

    /// Takes in a point that arrived after the others, in `segment`.
    @inline(__always)
    mutating func fold(_ step: Int64, _ time: Int64, _ value: Double, segment: Int64) {
        if value.isNaN {
            nanCount &+= 1
        } else {
            if Self.isLess(value, than: min) { min = value }
            if Self.isGreater(value, than: max) { max = value }
        }
        let point = MetricPoint(step: step, time: time, value: value)
        if count == 0 || MetricPoint.precedes(point, first) {
            first = point
            firstSegment = segment
        }
        if count == 0 || !MetricPoint.precedes(point, last) {
            last = point
            lastSegment = segment
        }
        touched = segment
        count &+= 1
    }

    /// Takes in all points of a segment that has one series.
    mutating func fold(_ columns: MetricColumns, segment: Int64) {
        columns.steps.withUnsafeBufferPointer { steps in
            columns.times.withUnsafeBufferPointer { times in
                columns.values.withUnsafeBufferPointer { values in
                    // A copy that the compiler can keep in registers.
                    var summary = self
                    for point in 0..<Swift.min(values.count, steps.count, times.count) {
                        summary.fold(
                            steps[point], times[point], values[point], segment: segment)
                    }
                    self = summary
                }
            }
        }
    }

    /// Takes in points that are in the order (step, time, arrival) and arrived after the others, of
    /// which there is at least one.
    mutating func fold(sorted columns: MetricColumns, _ range: Range<Int>, segment: Int64) {
        var nans = 0
        // Bits that are ordered as the values are, which also puts -0.0 below 0.0.
        var low = Int64.max
        var high = Int64.min
        columns.values.withUnsafeBufferPointer { values in
            for place in range {
                let value = values[place]
                guard !value.isNaN else {
                    nans &+= 1
                    continue
                }
                let bits = Int64(bitPattern: value.bitPattern)
                let ordered = bits ^ (bits >> 63 & .max)
                low = Swift.min(low, ordered)
                high = Swift.max(high, ordered)
            }
        }
        func value(_ ordered: Int64) -> Double? {
            nans == range.count
                ? nil
                : Double(bitPattern: UInt64(bitPattern: ordered ^ (ordered >> 63 & .max)))
        }
        merge(
            SeriesSummary(
                count: UInt64(range.count), nanCount: UInt64(nans), min: value(low),
                max: value(high), first: columns[range.lowerBound], firstSegment: segment,
                last: columns[range.upperBound - 1], lastSegment: segment, touched: segment))
    }

    /// Takes in what another writer, or the next chunk, holds of the same series.
    mutating func merge(_ other: SeriesSummary) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        count &+= other.count
        nanCount &+= other.nanCount
        if let value = other.min, Self.isLess(value, than: min) { min = value }
        if let value = other.max, Self.isGreater(value, than: max) { max = value }
        if Self.isBefore(other.first, other.firstSegment, first, firstSegment) {
            first = other.first
            firstSegment = other.firstSegment
        }
        // Where both are equal, the other is a later part of the same compaction.
        if !Self.isBefore(other.last, other.lastSegment, last, lastSegment) {
            last = other.last
            lastSegment = other.lastSegment
        }
        touched = Swift.max(touched, other.touched)
    }

    /// The summary as callers see it.
    func named(_ series: MetricSeries) -> MetricSummary {
        MetricSummary(
            series: series, count: count, nanCount: nanCount, min: min, max: max, first: first,
            last: last)
    }

    // Zeros are ordered -0.0 < 0.0 (IEEE 754-2019 minimum and maximum), so that the answer does
    // not hang on which writer's zero came first.

    @inline(__always)
    private static func isLess(_ value: Double, than bound: Double?) -> Bool {
        guard let bound else { return true }
        return value < bound || (value == bound && value.sign == .minus && bound.sign == .plus)
    }

    @inline(__always)
    private static func isGreater(_ value: Double, than bound: Double?) -> Bool {
        guard let bound else { return true }
        return value > bound || (value == bound && value.sign == .plus && bound.sign == .minus)
    }

    private static func isBefore(
        _ left: MetricPoint, _ leftSegment: Int64, _ right: MetricPoint, _ rightSegment: Int64
    ) -> Bool {
        if MetricPoint.precedes(left, right) { return true }
        if MetricPoint.precedes(right, left) { return false }
        return leftSegment < rightSegment
    }
}

/// The summaries of all series of one writer of one run, complete through a segment.
struct SummaryTable: Sendable {
    /// Everything up to this segment has been taken in.
    var through: Int64 = 0
    private(set) var series: [MetricSeries] = []
    private(set) var summaries: [SeriesSummary] = []
    private var places: [MetricSeries: Int] = [:]

    var count: Int { series.count }

    /// Sets a summary as it was stored.
    mutating func insert(_ series: MetricSeries, _ summary: SeriesSummary) {
        summaries[place(of: series)] = summary
    }

    /// Takes in a segment; one that is in already is left out.
    mutating func fold(_ segment: MetricSegment, id: Int64) {
        guard id > through else { return }
        through = id
        guard segment.series.count > 1 else {
            guard let series = segment.series.first else { return }
            summaries[place(of: series)].fold(segment.columns, segment: id)
            return
        }
        let here = segment.series.map { place(of: $0) }
        let columns = segment.columns
        summaries.withUnsafeMutableBufferPointer { summaries in
            for (point, index) in segment.seriesIndex.enumerated() {
                summaries[here[Int(index)]].fold(
                    columns.steps[point], columns.times[point], columns.values[point],
                    segment: id)
            }
        }
    }

    private mutating func place(of one: MetricSeries) -> Int {
        if let place = places[one] { return place }
        places[one] = series.count
        series.append(one)
        summaries.append(SeriesSummary())
        return series.count - 1
    }
}
