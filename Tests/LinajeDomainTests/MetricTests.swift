import LinajeDomain
import Testing

@Suite("MetricSummary")
struct MetricSummaryTests {
    private let series = MetricSeries(key: "loss")

    private func summarize(_ points: [MetricPoint]) -> MetricSummary? {
        guard let first = points.first else { return nil }
        var summary = MetricSummary(series: series, point: first)
        for point in points.dropFirst() { summary.fold(point) }
        return summary
    }

    @Test("NaN counts but is neither smallest nor largest; infinities are")
    func extremes() throws {
        let summary = try #require(
            summarize([
                MetricPoint(step: 0, time: 0, value: .nan), MetricPoint(step: 1, time: 1, value: 2),
                MetricPoint(step: 2, time: 2, value: -.infinity),
            ]))
        #expect(summary.count == 3)
        #expect(summary.nanCount == 1)
        #expect(summary.min == -.infinity)
        #expect(summary.max == 2)
    }

    @Test("the last point is the highest by step, then time, then arrival")
    func last() throws {
        let summary = try #require(
            summarize([
                MetricPoint(step: 5, time: 1, value: 1), MetricPoint(step: 3, time: 9, value: 2),
                MetricPoint(step: 5, time: 1, value: 3), MetricPoint(step: 3, time: 9, value: 4),
            ]))
        #expect(summary.last.value == 3)
        #expect(summary.first.value == 2)
    }

    @Test("folding two summaries is folding all their points, wherever the cut is")
    func folding() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0...UInt64.max, using: &generator)
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        let points = (0..<60).map { _ in
            MetricPoint(
                step: Int64(next() % 5), time: Int64(next() % 5),
                value: next() % 7 == 0 ? .infinity : Double(next() % 100))
        }
        let whole = summarize(points)
        for cut in 1..<points.count {
            var left = try #require(summarize(Array(points[..<cut])))
            left.fold(try #require(summarize(Array(points[cut...]))))
            #expect(left == whole, "seed \(seed), cut \(cut)")
        }
    }
}

@Suite("MetricBatch")
struct MetricBatchTests {
    private func batch(
        sequence: UInt64 = 1, series: Int = 1, index: [UInt32] = [], steps: Int = 2, times: Int = 2,
        values: Int = 2
    ) throws -> MetricBatch {
        try MetricBatch(
            sequence: sequence, series: (0..<series).map { MetricSeries(key: "k\($0)") },
            seriesIndex: index,
            columns: MetricColumns(
                steps: Array(repeating: 0, count: steps), times: Array(repeating: 0, count: times),
                values: Array(repeating: 0, count: values)))
    }

    @Test("columns that do not fit together are refused")
    func columns() throws {
        #expect(throws: Never.self) { try batch() }
        #expect(throws: Never.self) { try batch(series: 2, index: [0, 1]) }
        #expect(throws: LinajeError.self) { try batch(sequence: 0) }
        #expect(throws: LinajeError.self) { try batch(sequence: .max) }
        #expect(throws: LinajeError.self) { try batch(series: 0) }
        #expect(throws: LinajeError.self) { try batch(series: 2) }
        #expect(throws: LinajeError.self) { try batch(series: 2, index: [0]) }
        #expect(throws: LinajeError.self) { try batch(series: 2, index: [0, 2]) }
        #expect(throws: LinajeError.self) { try batch(steps: 1) }
        #expect(throws: LinajeError.self) { try batch(times: 3) }
        #expect(throws: LinajeError.self) { try batch(steps: 0, times: 0, values: 0) }
        let count = Limits.batchPoints
        #expect(throws: Never.self) { try batch(steps: count, times: count, values: count) }
        #expect(throws: LinajeError.self) {
            try batch(steps: count + 1, times: count + 1, values: count + 1)
        }
    }
}

@Suite("CanonicalJSON")
struct CanonicalJSONTests {
    @Test("keys are sorted by bytes and only what must be is escaped")
    func encoding() {
        let text = String(
            decoding: CanonicalJSON.encode([
                "b": .int(-3), "a": .string("q\"\\\n/é"), "B": .int(0),
            ]), as: UTF8.self)
        #expect(text == #"{"B":0,"a":"q\"\\\u000a/é","b":-3}"#)
    }
}

@Suite("ByteCount")
struct ByteCountTests {
    @Test(
        "bytes are shown for people",
        arguments: [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"),
            (20 << 30, "20.0 GiB"),
        ] as [(UInt64, String)])
    func description(_ bytes: UInt64, _ text: String) {
        #expect(ByteCount(bytes).description == text)
    }
}
