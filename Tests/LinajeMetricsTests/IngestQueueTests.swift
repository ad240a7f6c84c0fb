import LinajeDomain
import Synchronization
import Testing

@testable import LinajeMetrics

@Suite("Ingest queue")
struct IngestQueueTests {
    private final class Told: Sendable {
        private let all = Mutex<[String]>([])
        var words: [String] { all.withLock { $0 } }
        func add(_ word: String) { all.withLock { $0.append(word) } }
    }

    @Test("the end of a stream is told after the report of its last batch, never before")
    func order() async throws {
        let queue = IngestQueue(limit: 1 << 20)
        let told = Told()
        let key = IngestQueue.Key(run: .random(), writer: .random())
        let channel = try await queue.open(
            key,
            progress: { progress in
                // The client's end comes while the report is under way.
                queue.finish(1) { told.add("end") }
                told.add("durable through \(progress.durableThrough)")
            }, failed: { told.add("failed: \($0)") })
        #expect(channel == 1)
        try queue.activate(channel, durable: 0)
        try queue.submit(try batch(1, steps: [1]), bytes: 10, to: channel)
        let groups = try #require(await queue.take())
        queue.finish(channel) { told.add("end that came before") }
        queue.committed(groups)
        #expect(told.words == ["durable through 1", "end that came before", "end"])
        #expect(queue.queuedBytes == 0)
    }
}
