import Benchmark
import Foundation
import LinajeDomain
import LinajeMetrics
import Logging
import SQLiteBackend

private let points = 1_000

/// Columns as a training script sends them; no two batches are alike.
private func columns(_ batch: Int) -> MetricColumns {
    let first = batch * points
    return MetricColumns(
        steps: (0..<points).map { Int64(first + $0) },
        times: (0..<points).map { 1_700_000_000_000_000 + Int64(first + $0) * 1_000 },
        values: (0..<points).map { Double(first + $0) / 7 })
}

private struct StandingClock: WallClock {
    func now() -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000) }
}

/// Makes `count` batches of one writer durable on a real SQLite file, in group commits as they come.
private func ingest(_ count: Int) async throws {
    let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("linaje-benchmark-\(UUID().uuidString).db").path
    defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
    let backend = try SQLiteBackend(path: path)
    let quiet = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
    let store = MetricStore(backend: backend, clock: StandingClock(), logger: quiet)
    try await store.prepare()
    let series = [MetricSeries(key: "train/loss")]
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await store.run() }
        let (ends, ended) = AsyncThrowingStream<Void, any Error>.makeStream()
        let writer = try await store.openWriter(
            run: .random(), writer: .random(), onDurable: { _ in },
            onFailure: { ended.finish(throwing: $0) })
        for number in 0..<count {
            let batch = try MetricBatch(
                sequence: UInt64(number + 1), series: series, seriesIndex: [],
                columns: columns(number))
            try writer.submit(batch, bytes: points * 24)
        }
        writer.finish { ended.finish() }
        for try await _ in ends {}
        group.cancelAll()
        try await group.waitForAll()
    }
    try await backend.close()
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock], maxDuration: .seconds(2),
        // The machines are shared: up to twice as long is still noise.
        thresholds: [.wallClock: .init(relative: [.p90: 100])])

    Benchmark("segment-of-1000-points.encode") { benchmark in
        let segment = MetricSegment(
            series: [MetricSeries(key: "train/loss")],
            seriesIndex: [UInt16](repeating: 0, count: points), columns: columns(0))
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(segment.encoded()) }
    }

    Benchmark("segment-of-1000-points.decode") { benchmark in
        let bytes = MetricSegment(
            series: [MetricSeries(key: "train/loss")],
            seriesIndex: [UInt16](repeating: 0, count: points), columns: columns(0)
        ).encoded()
        let run = RunID.random()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            blackHole(try MetricSegment(decoding: bytes, run: run, id: 1))
        }
    }

    Benchmark("ingest.100-batches-of-1000-points-durable") { _ in
        try await ingest(100)
    }
}
