import Crypto
import Foundation
import LinajeDomain
import Testing

@testable import LinajeMetrics

@Suite struct MetricSegmentTests {
    struct Vectors: Decodable {
        struct Series: Decodable {
            var key: String
            var modelId: String?
            var datasetName: String?
            var datasetDigest: String?
        }
        struct Point: Decodable {
            var series: Int
            var step: String
            var timeUs: String
            var valueBits: String
        }
        struct Segment: Decodable {
            var name: String
            var hex: String
            var series: [Series]
            var points: [Point]
        }
        var segments: [Segment]
    }

    let run = RunID(bytes: Bytes16(high: 1, low: 2))

    private func vectors() throws -> [Vectors.Segment] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("proto-spec/vectors/segments.json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file)).segments
    }

    private func segment(_ vector: Vectors.Segment) throws -> MetricSegment {
        let series = try vector.series.map { one in
            MetricSeries(
                key: one.key,
                modelID: try one.modelId.map { try LoggedModelID(#require(Hex.decode($0))) },
                datasetName: one.datasetName ?? "", datasetDigest: one.datasetDigest ?? "")
        }
        var columns = MetricColumns()
        for point in vector.points {
            columns.append(
                MetricPoint(
                    step: try #require(Int64(point.step)), time: try #require(Int64(point.timeUs)),
                    value: Double(
                        bitPattern: try #require(UInt64(point.valueBits, radix: 16)))))
        }
        let index = series.count == 1 ? [] : vector.points.map { UInt16($0.series) }
        return MetricSegment(series: series, seriesIndex: index, columns: columns)
    }

    /// Bit for bit: -0.0 and NaN count as what they are.
    private func isSame(_ left: MetricSegment, _ right: MetricSegment) -> Bool {
        left.series == right.series && left.seriesIndex == right.seriesIndex
            && left.columns.steps == right.columns.steps
            && left.columns.times == right.columns.times
            && left.columns.values.map(\.bitPattern) == right.columns.values.map(\.bitPattern)
    }

    @Test("the golden vectors are what encoding gives and decoding reads")
    func goldenVectors() throws {
        let vectors = try vectors()
        #expect(vectors.count >= 10)
        for vector in vectors {
            let segment = try segment(vector)
            #expect(Hex.encode(segment.encoded()) == vector.hex, "\(vector.name)")
            let bytes = try #require(Hex.decode(vector.hex))
            let decoded = try MetricSegment(decoding: bytes, run: run, id: 7)
            #expect(isSame(decoded, segment), "\(vector.name)")
        }
    }

    @Test("every flipped byte and every torn end is noticed, naming run and segment")
    func damage() throws {
        for vector in try vectors() {
            let bytes = try #require(Hex.decode(vector.hex))
            for place in bytes.indices {
                var damaged = bytes
                damaged[place] ^= 1 << UInt8(place % 8)
                try expectCorrupt(damaged)
                try expectCorrupt(Array(bytes[..<place]))
            }
            try expectCorrupt(bytes + [0])
        }
    }

    private func expectCorrupt(_ bytes: [UInt8]) throws {
        do {
            _ = try MetricSegment(decoding: bytes, run: run, id: 41)
            Issue.record("damaged segment was read: \(Hex.encode(bytes.prefix(64)))")
        } catch let error as LinajeError {
            #expect(error.code == .corrupt)
            #expect(error.message.contains("41") && error.message.contains("\(run)"))
        }
    }

    @Test("bytes with a right check and nonsense inside are refused", arguments: [1, 2, 3, 4])
    func nonsense(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = try #require(Hex.decode(vectors()[9].hex)).dropLast(8)
        for _ in 0..<2_000 {
            var bytes = Array(good)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] =
                    [0, 1, 0xff, 0x80, .random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
            }
            let sealed = bytes + Array(SHA256.hash(data: bytes).prefix(8))
            // Whatever it decodes to must be consistent; most of it is an error, none a trap.
            if let segment = try? MetricSegment(decoding: sealed, run: run, id: 1) {
                #expect(segment.columns.steps.count == segment.count, "seed \(seed)")
                #expect(segment.seriesIndex.allSatisfy { Int($0) < segment.series.count })
                let again = try MetricSegment(decoding: segment.encoded(), run: run, id: 1)
                #expect(isSame(again, segment), "seed \(seed)")
            }
        }
    }

    @Test("random columns of every width come back", arguments: 1...20)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let count = Int.random(in: 1...300, using: &generator)
            let seriesCount = [1, 2, 256, 257].randomElement(using: &generator) ?? 1
            let spread = UInt64.max >> UInt64.random(in: 0...63, using: &generator)
            let base = Int64(truncatingIfNeeded: generator.next())
            var segment = MetricSegment(
                series: (0..<seriesCount).map { MetricSeries(key: "metric \($0) é") })
            for _ in 0..<count {
                let bits = generator.next()
                segment.columns.append(
                    MetricPoint(
                        step: base &+ Int64(truncatingIfNeeded: bits % max(1, spread)),
                        time: Int64(truncatingIfNeeded: generator.next() & spread),
                        value: bits % 5 == 0
                            ? Double(bitPattern: generator.next())
                            : Double(Int64(truncatingIfNeeded: bits) >> 50)))
                if seriesCount > 1 {
                    segment.seriesIndex.append(
                        .random(in: 0..<UInt16(seriesCount), using: &generator))
                }
            }
            let decoded = try MetricSegment(decoding: segment.encoded(), run: run, id: 1)
            #expect(isSame(decoded, segment), "seed \(seed)")
        }
    }
}
