/// The buckets of a histogram: ascending bounds with equal steps on a logarithmic scale.
///
/// Bounds are whole *ticks*, nanoseconds for times, so that observing needs neither a lock nor
/// floating point. A bound belongs to its bucket, as `le` of the text format says.
package struct HistogramBuckets: Sendable, Hashable {
    /// Upper bounds in ticks, ascending; what is larger than all goes into a last bucket without
    /// a bound.
    package let bounds: [UInt64]
    /// Ticks in one unit of the metric: 1,000,000,000 for seconds, 1 for bytes and counts.
    package let ticksPerUnit: UInt64

    /// - Parameters:
    ///   - steps: the bounds of one decade, tenths: [10, 20, 50] for 1, 2, 5.
    ///   - first: the first bound in ticks; a multiple of 10 or 1.
    init(_ steps: [UInt64], from first: UInt64, through last: UInt64, ticksPerUnit: UInt64) {
        var bounds: [UInt64] = []
        var decade = first
        while decade <= last {
            for step in steps where decade * step / 10 <= last { bounds.append(decade * step / 10) }
            decade *= 10
        }
        self.bounds = bounds
        self.ticksPerUnit = ticksPerUnit
    }

    /// Six bounds in each decade from 10 µs to 100 s: fine enough for percentiles.
    package static let fineSeconds = HistogramBuckets(
        [10, 15, 22, 33, 47, 68], from: 10_000, through: 100_000_000_000,
        ticksPerUnit: 1_000_000_000)
    /// Three bounds in each decade from 10 µs to 100 s.
    package static let seconds = HistogramBuckets(
        [10, 20, 50], from: 10_000, through: 100_000_000_000, ticksPerUnit: 1_000_000_000)
    /// Three bounds in each decade from 1 to 1,000,000,000: counts and bytes.
    package static let counts = HistogramBuckets(
        [10, 20, 50], from: 1, through: 1_000_000_000, ticksPerUnit: 1)

    /// The bucket of a value: the first whose bound is not below it; `bounds.count` past the last.
    func index(of ticks: UInt64) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < ticks { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
