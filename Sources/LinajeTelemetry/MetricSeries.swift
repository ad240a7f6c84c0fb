import Metrics
import Synchronization

/// A number that only grows. One atomic addition for each count.
final class CounterSeries: CounterHandler {
    private let count = Atomic<UInt64>(0)

    var value: UInt64 { count.load(ordering: .relaxed) }

    /// Negative amounts, which no counter may have, are dropped.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    /// Nothing: a counter that falls back looks like a restart of the daemon.
    func reset() {}
}

/// A number that goes up and down.
final class GaugeSeries: MeterHandler, RecorderHandler {
    /// The bits of a `Double`.
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }

    private func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(
                expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}

/// How often values fell in each bucket. Two atomic additions for each value.
// Safe because the atomics behind the pointer live as long as this object and are only reached
// atomically.
final class HistogramSeries: TimerHandler, RecorderHandler, @unchecked Sendable {
    let buckets: HistogramBuckets
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let sum = Atomic<UInt64>(0)

    init(_ buckets: HistogramBuckets) {
        self.buckets = buckets
        counts = .allocate(capacity: buckets.bounds.count + 1)
        for index in 0...buckets.bounds.count { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: buckets.bounds.count + 1)
        counts.deallocate()
    }

    func recordNanoseconds(_ duration: Int64) {
        let perTick = max(1, 1_000_000_000 / buckets.ticksPerUnit)
        observe(UInt64(max(0, duration)) / perTick)
    }

    /// A value in units of the metric; one below zero counts as zero.
    func record(_ value: Int64) {
        let ticks = UInt64(max(0, value)).multipliedReportingOverflow(by: buckets.ticksPerUnit)
        observe(ticks.overflow ? .max : ticks.partialValue)
    }

    /// A value in units of the metric; NaN is dropped, one below zero counts as zero.
    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let ticks = value * Double(buckets.ticksPerUnit)
        observe(ticks <= 0 ? 0 : UInt64(exactly: ticks.rounded()) ?? .max)
    }

    var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            buckets: buckets,
            counts: (0...buckets.bounds.count).map { counts[$0].load(ordering: .relaxed) },
            sum: sum.load(ordering: .relaxed))
    }

    private func observe(_ ticks: UInt64) {
        counts[buckets.index(of: ticks)].wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(ticks, ordering: .relaxed)
    }
}

/// A histogram at one moment. Its sum may be ahead of its counts by values that were just coming.
package struct HistogramSnapshot: Sendable, Hashable {
    package var buckets: HistogramBuckets
    /// How many fell in each bucket; one more than there are bounds.
    package var counts: [UInt64]
    /// Sum of all values in ticks.
    package var sum: UInt64

    /// How many values there were.
    package var count: UInt64 { counts.reduce(0, &+) }

    /// How many were at most each bound.
    package var cumulative: [UInt64] {
        var total: UInt64 = 0
        return counts.dropLast().map { count in
            total &+= count
            return total
        }
    }

    mutating func add(_ other: HistogramSnapshot) {
        guard other.buckets == buckets else { return }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sum &+= other.sum
    }
}
