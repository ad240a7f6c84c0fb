import LinajeDomain

/// What is known of a series while it is watched, in memory that does not grow with its points.
struct SampledSeries {
    /// Most values that the shape has.
    static let capacity = 240

    private(set) var count: UInt64 = 0
    private(set) var last: MetricPoint?
    private(set) var min: Double?
    private(set) var max: Double?
    /// The last value of each stretch of points, oldest first.
    private(set) var shape: [Double] = []
    private var stretch: UInt64 = 1
    private var inStretch: UInt64 = 0
    /// When points came lately, and how many had come by then.
    private var arrivals: [(at: ContinuousClock.Instant, count: UInt64)] = []
    private(set) var seenAt: ContinuousClock.Instant?

    /// The shape of all points so far; the summary counts them.
    mutating func setShape(_ buckets: [MetricBucket]) {
        shape = buckets.suffix(Self.capacity).map(\.last.value)
        let points = buckets.reduce(0) { $0 &+ $1.count }
        stretch = Swift.max(1, points / UInt64(Swift.max(1, buckets.count)))
        inStretch = 0
    }

    private mutating func sample(_ value: Double) {
        inStretch += 1
        if inStretch == 1 || shape.isEmpty {
            shape.append(value)
        } else {
            shape[shape.count - 1] = value
        }
        if inStretch >= stretch { inStretch = 0 }
        guard shape.count > Self.capacity else { return }
        // Twice as many points to a value from now on.
        shape = stride(from: 1, to: shape.count, by: 2).map { shape[$0] }
        stretch *= 2
        inStretch = 0
    }

    /// A point that has just become durable.
    mutating func add(_ point: MetricPoint, now: ContinuousClock.Instant) {
        sample(point.value)
        count += 1
        if !point.value.isNaN {
            min = Swift.min(min ?? point.value, point.value)
            max = Swift.max(max ?? point.value, point.value)
        }
        if last.map({ !MetricPoint.precedes(point, $0) }) ?? true { last = point }
        seenAt = now
        if let latest = arrivals.last, latest.at.duration(to: now) < .milliseconds(500) { return }
        arrivals.append((now, count))
        if arrivals.count > 20 { arrivals.removeFirst() }
    }

    /// What the daemon knows holds.
    mutating func set(_ summary: MetricSummary) {
        count = summary.count
        (min, max, last) = (summary.min, summary.max, summary.last)
    }

    /// Points a second over the last seconds; 0 when none come any more.
    func rate(now: ContinuousClock.Instant) -> Double {
        guard let first = arrivals.first, let latest = arrivals.last, latest.count > first.count,
            latest.at.duration(to: now) < .seconds(30)
        else { return 0 }
        return Double(count - Swift.min(count, first.count))
            / Swift.max(first.at.duration(to: now) / .seconds(1), 0.5)
    }
}

/// Steps over time: how fast a run goes.
struct StepPace {
    private var marks: [(at: Int64, step: Int64)] = []

    /// - Parameter time: when the step was, in microseconds.
    mutating func add(step: Int64, at time: Int64) {
        if let last = marks.last {
            guard step > last.step, time > last.at else { return }
            // Several marks a second tell no more than one.
            // Times may be any numbers: what overflows is long ago.
            if marks.count > 1 {
                let (gap, isLong) = time.subtractingReportingOverflow(marks[marks.count - 2].at)
                if !isLong, gap < 1_000_000 { marks.removeLast() }
            }
        }
        marks.append((time, step))
        if marks.count > 60 { marks.removeFirst() }
    }

    /// `nil` while it is not known.
    var stepsPerSecond: Double? {
        guard let first = marks.first, let last = marks.last, last.at > first.at else { return nil }
        return (Double(last.step) - Double(first.step))
            / ((Double(last.at) - Double(first.at)) / 1e6)
    }

    var step: Int64? { marks.last?.step }
}
