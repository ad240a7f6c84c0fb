import Foundation
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeMetrics

@Suite struct MetricFailureTests {
    let directory: TemporaryDirectory
    let run = RunID(bytes: Bytes16(high: 1, low: 1))
    let writer = WriterID(bytes: Bytes16(high: 2, low: 2))
    var path: String { directory.file("metrics.db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test(
        "after a failed fsync at the n-th commit nothing is reported, everything is refused",
        arguments: 1...50)
    func failedSync(number: Int) async throws {
        let error = LinajeError(.storageFailed, "fsync failed")
        let log = WriterLog()
        let other = WriterLog()
        let acknowledged = try await withStore(
            path,
            decorate: {
                FailingBackend($0, commitsAnyway: number.isMultiple(of: 2)) {
                    $0 == number ? error : nil
                }
            }
        ) { store in
            let idle = try await store.open(run, WriterID.random(), other)
            let first = try await store.open(run, writer, log)
            var sequence: UInt64 = 0
            while log.failures.isEmpty {
                sequence += 1
                // A later submit may meet the failure before the log does.
                do { try first.submit(batch(sequence, steps: [Int64(sequence)]), bytes: 1) } catch {
                    break
                }
                await log.wait(through: sequence)
            }
            await log.waitForFailure()
            await other.waitForFailure()
            let acknowledged = log.durable
            #expect(acknowledged == UInt64(number - 1))
            #expect(log.failures == [error] && other.failures == [error])
            for writer in [first, idle] {
                #expect(throws: error) { try writer.submit(batch(1, steps: [1]), bytes: 1) }
            }
            await #expect(throws: error) { try await store.open(run, WriterID.random()) }
            #expect(store.statistics.failure == error && store.statistics.queuedBytes == 0)
            #expect(try await store.points(run).first?.1.count ?? 0 >= Int(acknowledged))
            return acknowledged
        }
        #expect(log.durable == acknowledged && log.progressCount == number - 1)
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            #expect(writer.durableThrough >= acknowledged)
            let found = try await store.points(run).first?.1.steps ?? []
            #expect(found == (0..<Int64(writer.durableThrough)).map { $0 + 1 })
        }
    }

    @Test("a full disk refuses its batches, loses nothing acknowledged, and is survived")
    func fullDisk() async throws {
        let full = LinajeError(.storageFull, "disk is full")
        try await withStore(
            path, decorate: { FailingBackend($0) { (3...5).contains($0) ? full : nil } }
        ) { store in
            var next: UInt64 = 1
            var refusals = 0
            while next <= 10 {
                let log = WriterLog()
                let writer = try await store.open(run, writer, log)
                next = writer.durableThrough + 1
                while next <= 10, log.failures.isEmpty {
                    try writer.submit(batch(next, steps: [Int64(next)]), bytes: 5)
                    guard await log.wait(through: next) else { break }
                    next += 1
                }
                if !log.failures.isEmpty {
                    #expect(log.failures == [full])
                    #expect(throws: full) { try writer.submit(batch(next, steps: [0]), bytes: 1) }
                    refusals += 1
                }
            }
            #expect(refusals == 3)
            #expect(store.statistics.failure == nil && store.statistics.queuedBytes == 0)
            #expect(try await store.points(run).first?.1.steps == (1...10).map { $0 })
            #expect(try await store.summaries(run, keys: []).first?.count == 10)
        }
    }

    @Test("a commit whose error hides that it happened is neither lost nor doubled")
    func unknownOutcome() async throws {
        let lost = LinajeError(.unavailable, "connection lost")
        try await withStore(
            path, decorate: { FailingBackend($0, commitsAnyway: true) { $0 == 2 ? lost : nil } }
        ) { store in
            let log = WriterLog()
            let first = try await store.open(run, writer, log)
            try first.submit(batch(1, steps: [1]), bytes: 1)
            await log.wait(through: 1)
            try first.submit(batch(2, steps: [2]), bytes: 1)
            await log.waitForFailure()
            #expect(log.durable == 1 && log.failures == [lost])
            let second = try await store.open(run, writer)
            #expect(second.durableThrough == 2)
            try second.submit(batch(3, steps: [3]), bytes: 1)
            await second.drain()
            #expect(try await store.points(run).first?.1.steps == [1, 2, 3])
            #expect(try await store.summaries(run, keys: []).first?.count == 3)
        }
    }

    @Test("damaged bytes in the database are an error that names run and segment")
    func damagedSegment() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            try writer.submit(batch(1, steps: [1, 2, 3]), bytes: 1)
            await writer.drain()
        }
        let backend = try SQLiteBackend(path: path)
        _ = try await backend.write {
            let data = try $0.first("SELECT data FROM metric_segments") { try $0.blob(0) }
            var bytes = data ?? []
            bytes[bytes.count / 2] ^= 1
            try $0.execute("UPDATE metric_segments SET data = ?", [.blob(bytes)])
        }
        try await backend.close()
        try await withStore(path) { store in
            await #expect { try await store.points(run) } throws: {
                guard let error = $0 as? LinajeError else { return false }
                return error.code == .corrupt && error.message.contains("\(run)")
                    && error.message.contains("segment 1 ")
            }
        }
    }
}
