import Histogram
import LinajeDomain

/// How long many small things took, in an HDR histogram: three significant digits of each duration,
/// in memory that does not grow with their number (Gil Tene, HdrHistogram).
struct Latencies: Sendable {
    private var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)

    init() {}

    var count: Int { Int(histogram.totalCount) }

    /// Adds a duration; less than nothing is nothing.
    mutating func record(_ duration: Duration) {
        record(nanoseconds: UInt64(max(0, duration / .nanoseconds(1))), count: 1)
    }

    /// Adds what another has recorded.
    mutating func add(_ other: Latencies) {
        for (value, count) in other.recorded { record(nanoseconds: value, count: count) }
    }

    /// Nanoseconds and how often they were recorded, to carry it between processes.
    var recorded: [(value: UInt64, count: UInt64)] {
        histogram.recordedValues().map { ($0.value, $0.count) }
    }

    /// Does something once and adds how long it took.
    mutating func measure(_ body: () async throws -> Void) async rethrows {
        let start = ContinuousClock.now
        try await body()
        record(ContinuousClock.now - start)
    }

    mutating func record(nanoseconds: UInt64, count: UInt64) {
        // A histogram that resizes itself takes every value.
        _ = histogram.record(nanoseconds, count: count)
    }

    /// The duration that a share of them did not exceed; zero when there are none.
    func percentile(_ share: Double) -> Duration {
        guard count > 0 else { return .zero }
        return .nanoseconds(Int64(clamping: histogram.valueAtPercentile(share * 100)))
    }

    var p50: Duration { percentile(0.5) }

    var json: JSONValue {
        .object(
            [("count", .count(count))]
                + Self.shares.map { ("\($0.name.replacing(".", with: "_"))_us", micros($0.share)) })
    }

    /// For people: "p50 240 µs, p99 900 µs, p99.9 1.5 ms, max 21 ms".
    var text: String {
        Self.shares.map { "\($0.name) \(Rendering.latency(percentile($0.share)))" }
            .joined(separator: ", ")
    }

    private static let shares: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1),
    ]

    private func micros(_ share: Double) -> JSONValue {
        .double(percentile(share) / .microseconds(1))
    }
}
