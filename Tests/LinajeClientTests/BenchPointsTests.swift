import Foundation
import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("BenchPoints")
struct BenchPointsTests {
    @Test("the points are those of the golden vectors")
    func vectors() throws {
        let file = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "proto-spec/vectors/bench.json")
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        let vectors = try #require(json as? [String: Any])
        #expect(vectors["key"] as? String == BenchPoints.series.key)
        var count = 0
        for entry in vectors["seeds"] as? [[String: Any]] ?? [] {
            let seed = try #require(UInt64(entry["seed"] as? String ?? ""))
            for point in entry["points"] as? [[String: Any]] ?? [] {
                let agent = try #require(point["agent"] as? Int)
                let index = try #require(point["index"] as? Int)
                let made = BenchPoints(seed: seed, agent: agent).point(index)
                #expect("\(made.step)" == point["step"] as? String)
                #expect("\(made.time)" == point["timeUs"] as? String)
                let bits = String(made.value.bitPattern, radix: 16)
                let padded = String(repeating: "0", count: 16 - bits.count) + bits
                #expect(padded == point["valueBits"] as? String)
                count += 1
            }
        }
        #expect(count > 10)
    }

    @Test("columns hold the points of their range")
    func columns() {
        let points = BenchPoints(seed: 3, agent: 5)
        let columns = points.columns(990..<1_010)
        #expect(columns.count == 20)
        for offset in 0..<20 { #expect(columns[offset] == points.point(990 + offset)) }
    }

    @Test("a percentile is the value that so many did not exceed")
    func percentiles() {
        var latencies = Latencies()
        for number in (1...100).reversed() { latencies.record(.milliseconds(number)) }
        // Of each value three digits are kept.
        #expect((49.9...50.1).contains(latencies.p50 / .milliseconds(1)))
        #expect((98.9...99.1).contains(latencies.percentile(0.99) / .milliseconds(1)))
        #expect(latencies.percentile(1) == .milliseconds(100))
        #expect(latencies.percentile(0) == .milliseconds(1))
        #expect(Latencies().p50 == .zero)
    }
}
