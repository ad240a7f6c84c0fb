import LinajeDomain

/// The points that a bench writes, computed from a seed so that anybody can tell what must be there.
///
/// Point i (from 0) of agent a (from 0) has step i, time 1,700,000,000,000,000 + 1,000 i
/// microseconds, and the value (x >> 11) · 2^-53, where x is the first output of splitmix64 with
/// the state 1,000,003 · seed + 7,919 · a + i (`proto-spec/vectors/README.md`, `bench.json`).
struct BenchPoints {
    static let series = MetricSeries(key: "bench/metric")
    private static let firstTime: Int64 = 1_700_000_000_000_000

    private let base: UInt64

    init(seed: UInt64, agent: Int) {
        base = seed &* 1_000_003 &+ UInt64(agent) &* 7_919
    }

    func point(_ index: Int) -> MetricPoint {
        MetricPoint(
            step: Int64(index), time: Self.firstTime + Int64(index) * 1_000, value: value(index))
    }

    /// The points of a range, as they are sent.
    func columns(_ range: Range<Int>) -> MetricColumns {
        let count = range.count
        return MetricColumns(
            steps: Array(unsafeUninitializedCapacity: count) { buffer, filled in
                for offset in 0..<count { buffer[offset] = Int64(range.lowerBound + offset) }
                filled = count
            },
            times: Array(unsafeUninitializedCapacity: count) { buffer, filled in
                for offset in 0..<count {
                    buffer[offset] = Self.firstTime + Int64(range.lowerBound + offset) * 1_000
                }
                filled = count
            },
            values: Array(unsafeUninitializedCapacity: count) { buffer, filled in
                for offset in 0..<count { buffer[offset] = value(range.lowerBound + offset) }
                filled = count
            })
    }

    private func value(_ index: Int) -> Double {
        var random = SplitMix(base &+ UInt64(index))
        return Double(random.next() >> 11) * 0x1p-53
    }
}
