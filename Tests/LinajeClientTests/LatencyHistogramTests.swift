import LinajeWire
import Testing

@testable import LinajeClient

@Suite("Latency histograms")
struct LatencyHistogramTests {
    private func histogram(
        _ cumulative: [UInt64], count: UInt64, bounds: [UInt64] = [100, 200, 400], sum: UInt64 = 0
    ) -> LatencyHistogram {
        var message = Linaje_V1_LatencyHistogram()
        message.upperBoundUs = bounds
        message.cumulativeCount = cumulative
        message.count = count
        message.sumUs = sum
        return LatencyHistogram(message)
    }

    @Test("a percentile lies in its bucket, as far as the bucket is filled")
    func percentiles() {
        let histogram = histogram([10, 30, 40], count: 40)
        #expect(histogram.counts == [10, 20, 10, 0])
        #expect(histogram.percentile(0.25) == .microseconds(100))
        #expect(histogram.percentile(0.5) == .microseconds(150))
        #expect(histogram.percentile(1) == .microseconds(400))
        #expect(histogram.percentile(0) == .zero)
    }

    @Test("past the last bound it is the last bound, and of nothing there is none")
    func ends() {
        #expect(histogram([0, 0, 0], count: 3).percentile(0.5) == .microseconds(400))
        #expect(histogram([0, 0, 0], count: 0).percentile(0.5) == nil)
        #expect(histogram([], count: 0, bounds: []).percentile(0.5) == nil)
    }

    @Test("the difference of two is what came between")
    func difference() {
        let before = histogram([10, 10, 10], count: 11, sum: 50)
        let after = histogram([10, 14, 14], count: 17, sum: 90)
        let between = after.since(before)
        #expect(between.counts == [0, 4, 0, 2] && between.sum == .microseconds(40))
        #expect(between.percentile(0.5) == .microseconds(175))
        #expect(before.since(after).count == 0)
        #expect(after.since(histogram([1], count: 1, bounds: [5])) == after)
    }

    @Test("what makes no sense is no trap")
    func nonsense() {
        let histogram = histogram([9, 3, .max], count: 1, bounds: [.max, 1], sum: .max)
        #expect(histogram.counts.count == histogram.bounds.count + 1)
        _ = histogram.percentile(0.99)
        _ = histogram.percentile(.nan)
        _ = histogram.since(histogram)
    }
}
