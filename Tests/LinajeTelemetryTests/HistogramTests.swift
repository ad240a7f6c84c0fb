import LinajeTelemetry
import Metrics
import Testing

@Suite("Histograms")
struct HistogramTests {
    private let registry = TelemetryRegistry(families: [
        MetricFamily("t_seconds", .histogram(.seconds), ""),
        MetricFamily("points", .histogram(.counts), ""),
    ])

    @Test("a bound belongs to its bucket, and the largest values have one without a bound")
    func buckets() {
        let timer = Timer(label: "t_seconds", factory: registry)
        for nanoseconds: Int64 in [0, 10_000, 10_001, 100_000_000_000, 100_000_000_001, .max, -3] {
            timer.recordNanoseconds(nanoseconds)
        }
        let lines = registry.text().split(separator: "\n")
        #expect(lines.contains("t_seconds_bucket{le=\"1e-05\"} 3"))
        #expect(lines.contains("t_seconds_bucket{le=\"2e-05\"} 4"))
        #expect(lines.contains("t_seconds_bucket{le=\"100\"} 5"))
        #expect(lines.contains("t_seconds_bucket{le=\"+Inf\"} 7"))
        #expect(lines.contains("t_seconds_count 7"))
    }

    @Test("whole and broken numbers are recorded, NaN is not")
    func recorder() {
        let recorder = Recorder(label: "points", factory: registry)
        recorder.record(5)
        recorder.record(5.4)
        recorder.record(-1.0)
        recorder.record(Double.nan)
        recorder.record(Double.infinity)
        let lines = registry.text().split(separator: "\n")
        #expect(lines.contains("points_bucket{le=\"2\"} 1"))
        #expect(lines.contains("points_bucket{le=\"5\"} 3"))
        #expect(lines.contains("points_count 4"))
    }

    @Test("counts grow from bound to bound, and the last is the total")
    func monotonic() {
        let timer = Timer(label: "t_seconds", factory: registry)
        var nanoseconds: Int64 = 1
        for _ in 0..<62 {
            timer.recordNanoseconds(nanoseconds)
            nanoseconds *= 2
        }
        let counts = registry.text().split(separator: "\n")
            .filter { $0.hasPrefix("t_seconds_bucket") }
            .compactMap { $0.split(separator: " ").last.flatMap { UInt64($0) } }
        #expect(counts == counts.sorted() && counts.last == 62)
    }

    @Test(
        "bounds ascend on a logarithmic scale from 10 µs to 100 s",
        arguments: [HistogramBuckets.fineSeconds, .seconds])
    func bounds(buckets: HistogramBuckets) {
        #expect(buckets.bounds == buckets.bounds.sorted())
        #expect(buckets.bounds.first == 10_000 && buckets.bounds.last == 100_000_000_000)
        for (low, high) in zip(buckets.bounds, buckets.bounds.dropFirst()) {
            #expect(Double(high) / Double(low) <= 2.5 && high > low)
        }
    }

    @Test("the series of a family add up")
    func merged() {
        for database in ["a", "b"] {
            Timer(label: "t_seconds", dimensions: [("database", database)], factory: registry)
                .recordSeconds(1)
        }
        let sum = registry.histogram("t_seconds")
        #expect(sum?.count == 2 && sum?.sum == 2_000_000_000)
        #expect(sum?.cumulative.last == 2 && sum?.cumulative.first == 0)
        #expect(registry.histogram("none") == nil)
    }
}
