import Foundation
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeMetrics

/// The engine against a brute-force model: plain arrays of points in the order of arrival.
@Suite struct MetricModelTests {
    let directory: TemporaryDirectory
    let run = RunID(bytes: Bytes16(high: 1, low: 1))
    var path: String { directory.file("metrics.db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test(
        "summaries and histories equal the model, over several writers and reopenings",
        arguments: 1...8)
    func model(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var model = MetricModel()
        let writers = (0..<3).map { WriterID(bytes: Bytes16(high: 3, low: UInt64($0))) }
        for round in 0..<4 {
            let sqlite = try SQLiteBackend(path: path)
            // Small bounds, so that tables are stored, dropped and completed again all the time.
            let store = MetricStore(
                backend: sqlite, logger: quietLogger(), queueBytes: 1 << 20,
                summaries: SummaryCache(
                    limit: [2, 1_000][round % 2],
                    segmentsBetweenStores: Int.random(in: 1...9, using: &generator)),
                compaction: .never,
                historyGroupPoints: [1, 100, 1 << 20][round % 3])
            try await store.prepare()
            let running = Task { try await store.run() }  // Ended below, inside this test.
            for _ in 0..<20 {
                let writer = try await store.open(
                    run, writers.randomElement(using: &generator) ?? writers[0])
                var sequence = writer.durableThrough
                for _ in 0..<Int.random(in: 0...5, using: &generator) {
                    sequence += 1
                    let batch = try randomBatch(sequence, &generator)
                    try writer.submit(batch, bytes: 1)
                    model.add(batch)
                }
                // Arrival between writers is the order of their commits.
                await writer.drain()
                if Int.random(in: 0..<4, using: &generator) == 0 {
                    _ = try await compaction(sqlite, &generator).step()
                }
                if Bool.random(using: &generator) {
                    let found = try await store.summaries(run, keys: ["acc", "é"])
                    #expect(
                        found.map(text) == model.summaries(["acc", "é"]).map(text), "seed \(seed)")
                }
            }
            let found = try await store.summaries(run, keys: [])
            #expect(found.map(text) == model.summaries().map(text), "seed \(seed) round \(round)")
            for query in queries(&generator) {
                let found = try await store.points(run, query).flatMap { series, columns in
                    text(series, (0..<columns.count).map { columns[$0] })
                }
                let expected = model.history(query).flatMap { text($0.0, $0.1) }
                #expect(found == expected, "seed \(seed) round \(round) \(query)")
            }
            if round == 2 {
                // As after a crash: what was not stored yet is gone, segments are not.
                let run = run
                _ = try await sqlite.write { try SummaryStore.rebuild($0, run: run) }
            }
            running.cancel()
            try await running.value
            if round == 1 {
                let run = run
                _ = try await sqlite.write { try SummaryStore.rebuild($0, run: run) }
            }
            try await sqlite.close()
        }
    }

    /// One step over a few segments, into chunks so small that series have many.
    private func compaction(
        _ backend: any SQLBackend, _ generator: inout SeededGenerator
    ) -> RunCompaction {
        .small(backend, run, segments: .random(in: 1...12, using: &generator))
    }

    @Test("points with the same step and time come in the order of arrival, in pieces of 16,384")
    func duplicateStepsInPieces() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, WriterID.random())
            let count = 16_000
            for number in 0..<3 {
                let values = (0..<count).map { Double(number * count + $0) }
                try writer.submit(
                    MetricBatch(
                        sequence: UInt64(number + 1), series: [MetricSeries(key: "loss")],
                        seriesIndex: [],
                        columns: MetricColumns(
                            steps: [Int64](repeating: 1, count: count),
                            times: [Int64](repeating: 2, count: count), values: values)), bytes: 1)
            }
            await writer.drain()
            var sizes: [Int] = []
            var values: [Double] = []
            for try await (_, columns) in store.history(run, MetricQuery()) {
                sizes.append(columns.count)
                values += columns.values
            }
            #expect(sizes.allSatisfy { $0 <= 16_384 })
            #expect(values == (0..<3 * count).map(Double.init))
        }
    }

    @Test("a history shows the points of its first pull, whatever arrives while it is read")
    func historyIsASnapshot() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, WriterID.random())
            let steps = (0..<16_384).map { Int64($0) }
            for number in 1...3 { try writer.submit(batch(UInt64(number), steps: steps), bytes: 1) }
            await writer.drain()
            var count = 0
            var next: UInt64 = 4
            for try await (_, columns) in store.history(run, MetricQuery()) {
                count += columns.count
                try writer.submit(batch(next, steps: steps), bytes: 1)
                await writer.drain()
                next += 1
            }
            #expect(count == 3 * 16_384)
        }
    }

    @Test("a run that is not there has no points and no summaries")
    func unknownRun() async throws {
        try await withStore(path) { store in
            let points = try await store.points(RunID.random())
            let summaries = try await store.summaries(RunID.random(), keys: [])
            #expect(points.isEmpty && summaries.isEmpty)
        }
    }
}
