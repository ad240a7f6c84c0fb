/// What a history is divided along.
public enum MetricAxis: String, Sendable, Hashable, CaseIterable {
    case step, time
}

/// A history made small: each series' points in at most so many buckets of equal width.
public struct MetricBucketQuery: Sendable, Hashable {
    /// Which points; its limit does not count.
    public var points: MetricQuery
    /// Buckets over the whole range; those without points are left out.
    public var count: Int
    public var axis: MetricAxis

    /// - Throws: `invalidArgument` for a count that is not 1 to `Limits.metricBuckets`.
    public init(_ points: MetricQuery, count: Int, axis: MetricAxis = .step) throws {
        guard (1...Limits.metricBuckets).contains(count) else {
            throw LinajeError(
                .invalidArgument,
                "\(count) buckets cannot be made; ask for 1 to \(Limits.metricBuckets)")
        }
        self.points = points
        self.count = count
        self.axis = axis
    }
}

/// The points of one series in one bucket: no spike in it is lost.
public struct MetricBucket: Sendable, Hashable {
    /// Points, NaN included.
    public var count: UInt64
    public var nanCount: UInt64
    /// Smallest and largest value that is not NaN; `nil` when there is none.
    public var min: Double?
    public var max: Double?
    /// First and last point by (step, time, arrival).
    public var first: MetricPoint
    public var last: MetricPoint

    public init(
        count: UInt64, nanCount: UInt64, min: Double?, max: Double?, first: MetricPoint,
        last: MetricPoint
    ) {
        self.count = count
        self.nanCount = nanCount
        self.min = min
        self.max = max
        self.first = first
        self.last = last
    }
}
