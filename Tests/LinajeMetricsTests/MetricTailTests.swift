import Foundation
import LinajeDomain
import Testing

@testable import LinajeMetrics

@Suite struct MetricTailTests {
    let directory: TemporaryDirectory
    let run = RunID(bytes: Bytes16(high: 1, low: 1))
    var path: String { directory.file("metrics.db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test("a tail gives the wanted points as they become durable, until the run ends")
    func follows() async throws {
        try await withStore(path) { store in
            let tail = store.tail(run, keys: ["loss"])
            let writer = try await store.open(run, WriterID.random())
            let other = try await store.open(RunID.random(), WriterID.random())
            for number in 1...30 {
                let sequence = UInt64(number)
                let mixed = try MetricBatch(
                    sequence: sequence,
                    series: [MetricSeries(key: "acc"), MetricSeries(key: "loss")],
                    seriesIndex: [0, 1],
                    columns: MetricColumns(
                        steps: [-1, Int64(number)], times: [0, 0], values: [0, 1]))
                try writer.submit(mixed, bytes: 1)
                try other.submit(batch(sequence, steps: [-5]), bytes: 1)
            }
            await writer.drain()
            await other.drain()
            var iterator = tail.makeAsyncIterator()
            var steps: [Int64] = []
            while steps.count < 30, let piece = await iterator.next() {
                #expect(piece.series.key == "loss" && piece.missed == 0)
                steps += piece.columns.steps
            }
            #expect(steps == (1...30).map { $0 })
            store.endTails(run)
            #expect(await iterator.next() == nil)
        }
    }

    @Test("a tail that waits gets its point, and one that waits at shutdown ends")
    func waits() async throws {
        let ended = try await withStore(path) { store in
            let writer = try await store.open(run, WriterID.random())
            let tail = store.tail(run, keys: [])
            let reader = Task { await tail.reduce(into: [Int64]()) { $0 += $1.columns.steps } }
            try writer.submit(batch(1, steps: [1, 2]), bytes: 1)
            await writer.drain()
            return reader
        }
        #expect(await ended.value == [1, 2])
    }

    @Test("a slow reader loses the oldest points, is told how many, and holds no commit up")
    func slowReader() async throws {
        try await withStore(path) { store in
            let tail = store.tail(run, keys: [])
            let writer = try await store.open(run, WriterID.random())
            let total = 20 * 10_000
            for number in 0..<20 {
                let steps = (0..<10_000).map { Int64(number * 10_000 + $0) }
                try writer.submit(batch(UInt64(number + 1), steps: steps), bytes: 1)
                await writer.drain()
            }
            // The points of the last commit reach the tail after its report.
            while store.statistics.points < UInt64(total) { await Task.yield() }
            store.endTails(run)
            var missed: UInt64 = 0
            var steps: [Int64] = []
            for await piece in tail {
                missed += piece.missed
                steps += piece.columns.steps
            }
            #expect(missed > 0 && steps.count <= 65_536 && steps.count >= 50_000)
            #expect(Int(missed) + steps.count == total)
            #expect(steps == (Int64(missed)..<Int64(total)).map { $0 })
        }
    }

    @Test("a tail nobody reads any more is forgotten")
    func dropped() async throws {
        let registry = TailRegistry()
        do {
            let stream = registry.stream(run, keys: [])
            #expect(registry.count == 1)
            _ = stream
        }
        #expect(registry.count == 0)
        let task = Task { [stream = registry.stream(run, keys: [])] in
            for await _ in stream {}
        }
        task.cancel()
        await task.value
        #expect(registry.count == 0)
    }
}
