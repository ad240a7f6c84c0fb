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

    @Test("a reader waits for what its run has queued, for the commit under way, and no longer")
    func readers() async throws {
        let queue = IngestQueue(limit: 1 << 20)
        let told = Told()
        let run = RunID.random()
        let channel = try await queue.open(
            IngestQueue.Key(run: run, writer: .random()), progress: { _ in }, failed: { _ in })
        try queue.activate(channel, durable: 0)
        await queue.waitUntilStored(run, patience: .seconds(100))
        try queue.submit(try batch(1, steps: [1]), bytes: 0, to: channel)
        // Another run has nothing to wait for.
        await queue.waitUntilStored(.random(), patience: .seconds(100))
        async let queued: Void = wait(queue, run, told, "queued")
        while queue.state.withLock(\.readers.isEmpty) { await Task.yield() }
        let first = try #require(await queue.take())
        try queue.submit(try batch(2, steps: [2]), bytes: 0, to: channel)
        async let behind: Void = wait(queue, run, told, "behind")
        while queue.state.withLock(\.readers.count) < 2 { await Task.yield() }
        queue.committed(first)
        await queued
        #expect(told.words == ["queued"])
        queue.refused(try #require(await queue.take()), LinajeError(.storageFull, "disk is full"))
        await behind
        #expect(told.words == ["queued", "behind"] && queue.state.withLock(\.readers.isEmpty))
    }

    @Test("a reader that waits for a commit that hangs gives up, and one that leaves is forgotten")
    func impatience() async throws {
        let queue = IngestQueue(limit: 1 << 20)
        let run = RunID.random()
        let channel = try await queue.open(
            IngestQueue.Key(run: run, writer: .random()), progress: { _ in }, failed: { _ in })
        try queue.activate(channel, durable: 0)
        try queue.submit(try batch(1, steps: [1]), bytes: 0, to: channel)
        let groups = try #require(await queue.take())
        await queue.waitUntilStored(run, patience: .milliseconds(5))
        let leaving = Task { await queue.waitUntilStored(run, patience: .seconds(100)) }
        while queue.state.withLock(\.readers.isEmpty) { await Task.yield() }
        leaving.cancel()
        await leaving.value
        #expect(queue.state.withLock(\.readers.isEmpty))
        queue.committed(groups)
        queue.failed(LinajeError(.storageFailed, "disk is gone"))
        await queue.waitUntilStored(run, patience: .seconds(100))
    }

    private func wait(_ queue: IngestQueue, _ run: RunID, _ told: Told, _ word: String) async {
        await queue.waitUntilStored(run, patience: .seconds(100))
        told.add(word)
    }
}
