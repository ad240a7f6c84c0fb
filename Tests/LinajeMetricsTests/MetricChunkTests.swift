import Foundation
import LinajeDomain
import Testing

@testable import LinajeMetrics

@Suite struct MetricChunkTests {
    let run = RunID(bytes: Bytes16(high: 1, low: 2))

    /// Columns with everything that a packed form could stumble over.
    static let valueCases: [(String, [Double])] = [
        ("one value", [0.25]), ("one NaN", [.nan]),
        ("the same", [Double](repeating: 3.5, count: 300)),
        ("floats", (0..<500).map { Double(Float(2.3 * exp(-Double($0) / 90))) }),
        ("doubles", (0..<500).map { sin(Double($0)) / 3 }),
        ("percents", (0..<500).map { Double(($0 * 7_919) % 1_000) / 10 }),
        ("decimals and a few others", (0..<500).map { $0 % 40 == 3 ? .nan : Double($0) / 1_000 }),
        ("zeros of both signs", [0, -0.0, 0, -0.0, -0.0, 0]),
        ("large numbers", [1e300, -1e300, 0x1p53, 0x1p53 + 2, -0x1p63, .greatestFiniteMagnitude]),
        ("tiny numbers", [.leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude]),
        ("infinities", [.infinity, -.infinity, .nan, 1, .infinity]),
        (
            "payloads of NaN",
            [0x7ff8_0000_0000_0001, 0xfff8_dead_beef_0000, 0x7ff0_0000_0000_0001]
                .map { Double(bitPattern: $0) }
        ),
    ]

    static let integerCases: [(String, [Int64])] = [
        ("one", [-5]), ("counting", Array(0..<400)), ("the ends", [.min, .max, .min, 0, -1]),
        ("thousands", (0..<400).map { 1_700_000_000_000_000 + $0 * 83_000 + ($0 % 7) * 1_000 }),
        ("scattered", (0..<400).map { ($0 * 2_654_435_761) % 1_000_003 }),
        ("far apart", [0, .max, 1, .max - 1]), ("the same", [7, 7, 7, 7]),
    ]

    private struct Vectors: Decodable {
        struct Point: Decodable {
            var step: String
            var timeUs: String
            var valueBits: String
        }
        struct Chunk: Decodable {
            var name: String
            var hex: String
            var points: [Point]?
        }
        var chunks: [Chunk]
        var malformed: [Chunk]

        static func read() throws -> Vectors {
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../proto-spec/vectors/metric_chunks.json")
            return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
        }
    }

    @Test("decoding reads the golden vectors, which were written from the specification alone")
    func goldenVectors() throws {
        let vectors = try Vectors.read()
        #expect(vectors.chunks.count >= 9 && vectors.malformed.count >= 13)
        for vector in vectors.chunks {
            let found = try MetricChunk(
                decoding: #require(Hex.decode(vector.hex)), run: run, id: 1, with: PlaneReader()
            ).columns
            let points = try #require(vector.points)
            #expect(found.steps.map(String.init) == points.map(\.step), "\(vector.name)")
            #expect(found.times.map(String.init) == points.map(\.timeUs), "\(vector.name)")
            #expect(
                found.values.map(\.bitPattern)
                    == points.map { UInt64($0.valueBits, radix: 16) }, "\(vector.name)")
        }
        for vector in vectors.malformed {
            let bytes = try #require(Hex.decode(vector.hex))
            #expect(throws: LinajeError.self, "\(vector.name)") {
                try MetricChunk(decoding: bytes, run: run, id: 1, with: PlaneReader())
            }
        }
    }

    private func roundTrip(_ columns: MetricColumns) throws -> MetricColumns {
        let bytes = MetricChunk(columns: columns).encoded(with: PlaneWriter())
        return try MetricChunk(decoding: bytes, run: run, id: 1, with: PlaneReader()).columns
    }

    @Test("values come back bit for bit", arguments: valueCases)
    func values(name: String, values: [Double]) throws {
        let steps = values.indices.map { Int64($0) }
        let found = try roundTrip(MetricColumns(steps: steps, times: steps, values: values))
        #expect(found.values.map(\.bitPattern) == values.map(\.bitPattern))
        #expect(found.steps == steps && found.times == steps)
    }

    @Test("steps and times come back", arguments: integerCases)
    func integers(name: String, numbers: [Int64]) throws {
        let values = numbers.map { Double($0) }
        let found = try roundTrip(
            MetricColumns(steps: numbers, times: numbers.reversed(), values: values))
        #expect(found.steps == numbers && found.times == numbers.reversed())
    }

    @Test("random columns of random bits come back", arguments: 1...20)
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...3_000, using: &generator)
        let bits = UInt64.random(in: 1...64, using: &generator)
        var columns = MetricColumns()
        for _ in 0..<count {
            columns.append(
                MetricPoint(
                    step: Int64(bitPattern: generator.next() >> (64 - bits)),
                    time: Int64(bitPattern: generator.next() >> (64 - bits)),
                    value: Double(bitPattern: generator.next())))
        }
        let found = try roundTrip(columns)
        #expect(found.steps == columns.steps && found.times == columns.times)
        #expect(found.values.map(\.bitPattern) == columns.values.map(\.bitPattern))
    }

    @Test("every flipped bit and every torn end is noticed, naming run and chunk")
    func damaged() throws {
        let values = (0..<100).map { Double($0 % 13) / 10 }
        let steps = (0..<100).map { Int64($0) }
        let bytes = MetricChunk(
            columns: MetricColumns(
                steps: steps, times: steps.map { $0 * $0 * 1_000 }, values: values)
        ).encoded(with: PlaneWriter())
        func isRefused(_ bytes: [UInt8]) -> Bool {
            do {
                _ = try MetricChunk(decoding: bytes, run: run, id: 9, with: PlaneReader())
                return false
            } catch let error as LinajeError {
                return error.code == .corrupt && error.message.contains("chunk 9 of run \(run)")
            } catch {
                return false
            }
        }
        for end in 0..<bytes.count { #expect(isRefused(Array(bytes[..<end])), "cut at \(end)") }
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(isRefused(flipped), "bit \(bit)")
        }
    }

    @Test(
        "bytes that are torn or changed under a matching check are refused or read, never trapped on"
    )
    func forged() throws {
        var generator = SeededGenerator(seed: 7)
        for (_, values) in Self.valueCases {
            let steps = values.indices.map { Int64($0) * 3 }
            let bytes = MetricChunk(
                columns: MetricColumns(steps: steps, times: steps, values: values)
            ).encoded(with: PlaneWriter())
            for _ in 0..<300 {
                var body = Array(bytes.dropLast(8))
                let place = Int.random(in: 6..<body.count, using: &generator)
                body[place] = UInt8.random(in: 0...255, using: &generator)
                if Bool.random(using: &generator) {
                    body.removeLast(Int.random(in: 0..<body.count - 6, using: &generator))
                }
                let forged = body + MetricChunk.check(of: body)
                let decoded = forged.withUnsafeBytes {
                    try? MetricChunk.decode($0, with: PlaneReader())
                }
                if let columns = decoded?.columns {
                    #expect(columns.steps.count == columns.values.count)
                    #expect(columns.times.count == columns.values.count)
                }
            }
        }
    }

    @Test(
        "noisy losses at whole milliseconds take less than 4 bytes a point, sensors less than 2.5")
    func density() {
        var generator = SeededGenerator(seed: 3)
        func noise() -> Double {
            (0..<6).reduce(-3) { sum, _ in
                sum + Double.random(in: 0...1, using: &generator)
            }
        }
        let count = MetricChunk.maximumPoints
        func bytes(_ interval: Double, _ jitter: Double, _ value: (Int) -> Double) -> Double {
            var time = 1_700_000_000_000.0
            var columns = MetricColumns()
            for step in 0..<count {
                time += (interval + jitter * noise()).rounded()
                columns.append(
                    MetricPoint(step: Int64(step), time: Int64(time) * 1_000, value: value(step)))
            }
            let bytes = MetricChunk(columns: columns).encoded(with: PlaneWriter())
            return Double(bytes.count) / Double(count)
        }
        let loss = bytes(83, 3) { step in
            Double(Float(2.3 * exp(-Double(step) / 5_000) + 0.2 + 0.05 * noise()))
        }
        #expect(loss < 4)
        let cpu = bytes(10_000, 2) { _ in ((60 + 15 * noise()) * 10).rounded() / 10 }
        var memory = 8e9
        let megabytes = bytes(10_000, 2) { _ in
            memory += (noise() * 100).rounded() * 4_096
            return memory / 1e6
        }
        #expect((cpu + megabytes) / 2 < 2.5)
    }
}
