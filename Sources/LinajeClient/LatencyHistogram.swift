import LinajeWire

/// How long something took, counted in buckets.
public struct LatencyHistogram: Sendable, Hashable {
    /// Upper bounds of the buckets, ascending; a bound belongs to its bucket.
    public let bounds: [Duration]
    /// How many fell in each bucket; one more than there are bounds, for those past the last.
    public private(set) var counts: [UInt64]
    /// Sum of all times.
    public private(set) var sum: Duration

    init(_ message: Linaje_V1_LatencyHistogram) {
        let size = min(message.upperBoundUs.count, message.cumulativeCount.count)
        bounds = message.upperBoundUs.prefix(size).map { .microseconds(Int64(clamping: $0)) }
        var before: UInt64 = 0
        counts = (message.cumulativeCount.prefix(size) + [message.count]).map { cumulative in
            defer { before = max(before, cumulative) }
            return cumulative - min(cumulative, before)
        }
        sum = .microseconds(Int64(clamping: message.sumUs))
    }

    /// How many there were.
    public var count: UInt64 { counts.reduce(0, &+) }

    /// What came after an earlier moment of the same daemon; everything, when the buckets are not
    /// the same.
    public func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        guard earlier.bounds == bounds else { return self }
        var out = self
        for index in counts.indices {
            out.counts[index] -= min(counts[index], earlier.counts[index])
        }
        out.sum = max(.zero, sum - earlier.sum)
        return out
    }

    /// The time that a share of them did not exceed, as exact as the buckets are: the bucket is
    /// taken to be evenly filled. Past the last bound it is that bound; `nil` when there were none.
    public func percentile(_ share: Double) -> Duration? {
        let total = count
        guard total > 0 else { return nil }
        let rank = min(max(share, 0), 1) * Double(total)
        var below: UInt64 = 0
        for (index, bound) in bounds.enumerated() {
            let inside = counts[index]
            if inside > 0, Double(below + inside) >= rank {
                let lower = index == 0 ? Duration.zero : bounds[index - 1]
                return lower + (bound - lower) * ((rank - Double(below)) / Double(inside))
            }
            below += inside
        }
        return bounds.last
    }
}
