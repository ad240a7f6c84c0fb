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

    struct Model {
        var points: [MetricSeries: [MetricPoint]] = [:]

        mutating func add(_ batch: MetricBatch) {
            for point in 0..<batch.count {
                let place = batch.seriesIndex.isEmpty ? 0 : Int(batch.seriesIndex[point])
                points[batch.series[place], default: []].append(batch.columns[point])
            }
        }

        func summaries(_ keys: Set<String> = []) -> [MetricSummary] {
            points.filter { keys.isEmpty || keys.contains($0.key.key) }.map { series, points in
                var summary = MetricSummary(series: series, point: points[0])
                for point in points.dropFirst() { summary.fold(point) }
                return summary
            }.sorted { $0.series.isOrdered(before: $1.series) }
        }

        func history(_ query: MetricQuery) -> [(MetricSeries, [MetricPoint])] {
            var left = query.limit == 0 ? Int.max : Int(query.limit)
            var out: [(MetricSeries, [MetricPoint])] = []
            for (series, points) in points.sorted(by: { $0.key.isOrdered(before: $1.key) })
            where query.keys.isEmpty || query.keys.contains(series.key) {
                let wanted = points.enumerated().filter { query.includes($0.element) }.sorted {
                    ($0.element.step, $0.element.time, $0.offset)
                        < ($1.element.step, $1.element.time, $1.offset)
                }.prefix(left).map(\.element)
                left -= wanted.count
                if !wanted.isEmpty { out.append((series, wanted)) }
            }
            return out
        }
    }

    /// Everything that a summary says, NaN by its bits; the model does not tell zeros apart.
    private func text(_ summary: MetricSummary) -> String {
        func text(_ point: MetricPoint) -> String {
            "\(point.step) \(point.time) \(point.value.bitPattern)"
        }
        return "\(summary.series) \(summary.count) \(summary.nanCount) "
            + "\(summary.min.map { $0 + 0 } ?? .nan) \(summary.max.map { $0 + 0 } ?? .nan) "
            + "\(text(summary.first)) \(text(summary.last))"
    }

    private func text(_ series: MetricSeries, _ points: [MetricPoint]) -> [String] {
        points.map { "\(series) \($0.step) \($0.time) \($0.value.bitPattern)" }
    }

    private func randomBatch(
        _ sequence: UInt64, _ generator: inout SeededGenerator
    ) throws -> MetricBatch {
        let names = ["loss", "acc", "é", "loss"]
        let count = Int.random(in: 1...40, using: &generator)
        let seriesCount = Int.random(in: 1...4, using: &generator)
        var columns = MetricColumns()
        let values: [Double] = [.nan, .infinity, -.infinity, -0.0, 0, 1, 2.5, -7]
        for _ in 0..<count {
            columns.append(
                MetricPoint(
                    step: [.min, -1, 0, 1, 2, 3, .max].randomElement(using: &generator) ?? 0,
                    time: .random(in: 0...3, using: &generator),
                    value: values.randomElement(using: &generator) ?? 0))
        }
        return try MetricBatch(
            sequence: sequence,
            series: (0..<seriesCount).map { place in
                MetricSeries(
                    key: names[place],
                    modelID: place == 3 ? LoggedModelID(bytes: Bytes16(high: 7, low: 7)) : nil,
                    datasetName: place == 1 ? "test" : "")
            },
            seriesIndex: seriesCount == 1
                ? []
                : (0..<count).map { _ in .random(in: 0..<UInt32(seriesCount), using: &generator) },
            columns: columns)
    }

    private func queries(_ generator: inout SeededGenerator) -> [MetricQuery] {
        [
            MetricQuery(), MetricQuery(keys: ["acc"]), MetricQuery(keys: ["loss", "none"]),
            MetricQuery(steps: 0...2), MetricQuery(steps: .min ... -1, times: 1...2),
            MetricQuery(limit: 1), MetricQuery(limit: .random(in: 1...200, using: &generator)),
            MetricQuery(steps: 5...6), MetricQuery(keys: ["é"], times: 3...3, limit: 7),
        ]
    }

    @Test(
        "summaries and histories equal the model, over several writers and reopenings",
        arguments: 1...6)
    func model(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var model = Model()
        let writers = (0..<3).map { WriterID(bytes: Bytes16(high: 3, low: UInt64($0))) }
        for round in 0..<4 {
            let sqlite = try SQLiteBackend(path: path)
            // Small bounds, so that tables are stored, dropped and completed again all the time.
            let store = MetricStore(
                backend: sqlite, logger: quietLogger(), queueBytes: 1 << 20,
                summaries: SummaryCache(
                    limit: [2, 1_000][round % 2],
                    segmentsBetweenStores: Int.random(in: 1...9, using: &generator)),
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
                _ = try await sqlite.write {
                    try $0.execute("DELETE FROM metric_summaries")
                    try $0.execute("UPDATE metric_writers SET folded_through = 0")
                }
            }
            running.cancel()
            try await running.value
            if round == 1 {
                _ = try await sqlite.write {
                    try $0.execute("DELETE FROM metric_summaries")
                    try $0.execute("UPDATE metric_writers SET folded_through = 0")
                }
            }
            try await sqlite.close()
        }
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
