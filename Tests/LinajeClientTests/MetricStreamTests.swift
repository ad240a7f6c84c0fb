import LinajeDomain
import LinajeWire
import Synchronization
import Testing

@testable import LinajeClient

@Suite("MetricStream", .timeLimit(.minutes(1)))
struct MetricStreamTests {
    private let series = MetricSeries(key: "loss")

    private func columns(_ range: Range<Int64>) -> MetricColumns {
        MetricColumns(
            steps: Array(range), times: Array(range), values: range.map { Double($0) })
    }

    @Test("what was not acknowledged is sent again after a reconnect, and stored once")
    func resume() async throws {
        let store = FakeMetricStore(hangUpAfter: 7)
        let daemon = try FakeDaemon { _, frame in store.reply(to: frame) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let stream = try await client.metricStream(run: .random())
        for start in stride(from: Int64(0), to: 500, by: 10) {
            try await stream.send(columns(start..<(start + 10)), of: series)
        }
        #expect(try await stream.finish() == 50)
        let stored = store.state.withLock { $0 }
        #expect(stored.batches.map(\.sequence) == Array(1...50))
        #expect(stored.batches.flatMap(\.step) == Array(0..<500))
        #expect(stored.opened > 5)
    }

    @Test("without reconnecting the stream fails with an error that may be retried")
    func breaks() async throws {
        let store = FakeMetricStore(hangUpAfter: 3)
        let daemon = try FakeDaemon { _, frame in store.reply(to: frame) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let stream = try await client.metricStream(run: .random(), reconnects: false)
        let error = await #expect(throws: LinajeError.self) {
            for start in Int64(0)..<10 {
                try await stream.send(columns(start..<(start + 1)), of: series)
            }
            try await stream.finish()
        }
        #expect(error?.isRetryable == true)
        #expect(stream.durableThrough <= 3)
    }

    @Test("more points than a batch holds become several, in order")
    func splits() async throws {
        let store = FakeMetricStore(hangUpAfter: nil)
        let daemon = try FakeDaemon { _, frame in store.reply(to: frame) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let stream = try await client.metricStream(run: .random())
        let number = try await stream.send(columns(0..<50_000), of: series)
        try await stream.durable(through: number)
        #expect(stream.durableThrough == number)
        try await stream.finish()
        let batches = store.state.withLock { $0.batches }
        #expect(batches.flatMap(\.step) == Array(0..<50_000))
        #expect(batches.allSatisfy { $0.value.count <= Limits.batchPoints })
        #expect(UInt64(batches.count) == number)
    }

    @Test("numbering goes on after what an earlier stream of the writer has stored")
    func continues() async throws {
        let store = FakeMetricStore(hangUpAfter: nil)
        let daemon = try FakeDaemon { _, frame in store.reply(to: frame) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        for start in [Int64(0), 5] {
            let stream = try await client.metricStream(run: .random())
            try await stream.send(columns(start..<(start + 5)), of: series)
            try await stream.finish()
        }
        let batches = store.state.withLock { $0.batches }
        #expect(batches.map(\.sequence) == [1, 2])
        #expect(batches.flatMap(\.step) == Array(0..<10))
    }

    @Test("columns that do not fit together are refused before anything is sent")
    func refuses() async throws {
        let store = FakeMetricStore(hangUpAfter: nil)
        let daemon = try FakeDaemon { _, frame in store.reply(to: frame) }
        defer { daemon.stop() }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let stream = try await client.metricStream(run: .random())
        let error = await #expect(throws: LinajeError.self) {
            try await stream.send(
                MetricColumns(steps: [1], times: [], values: [1]), of: series)
        }
        #expect(error?.code == .invalidArgument)
        stream.abandon()
        #expect(store.state.withLock { $0.batches.isEmpty })
    }
}
