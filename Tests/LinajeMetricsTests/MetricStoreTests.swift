import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeMetrics

@Suite struct MetricStoreTests {
    let directory: TemporaryDirectory
    let run = RunID(bytes: Bytes16(high: 1, low: 1))
    let writer = WriterID(bytes: Bytes16(high: 2, low: 2))
    var path: String { directory.file("metrics.db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test("an idle queue commits one point at once, and reports it with its bytes")
    func onePoint() async throws {
        try await withStore(path) { store in
            let log = WriterLog()
            let writer = try await store.open(run, writer, log)
            #expect(writer.durableThrough == 0)
            try writer.submit(batch(1, steps: [5], values: [0.25]), bytes: 77)
            #expect(await log.wait(through: 1))
            #expect(log.durable == 1 && log.released == 77)
            let found = try await store.points(run)
            #expect(found.count == 1 && found[0].1.steps == [5] && found[0].1.values == [0.25])
            #expect(store.statistics.points == 1 && store.statistics.queuedBytes == 0)
        }
    }

    @Test("NaN with its payload, infinities and -0.0 survive the store bit for bit")
    func specialValues() async throws {
        let values: [Double] = [
            .nan, Double(nan: 0x1234, signaling: false), -.nan, .infinity, -.infinity, -0.0, 0,
            .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1,
        ]
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            try writer.submit(
                batch(1, steps: values.indices.map(Int64.init), values: values), bytes: 1)
            await writer.drain()
            let found = try await store.points(run)
            #expect(found.first?.1.values.map(\.bitPattern) == values.map(\.bitPattern))
        }
    }

    @Test("a batch sent twice is stored once, whether it is durable or still queued")
    func duplicates() async throws {
        try await withStore(path) { store in
            let log = WriterLog()
            let writer = try await store.open(run, writer, log)
            for _ in 0..<3 { try writer.submit(batch(1, steps: [1, 2]), bytes: 10) }
            await writer.drain()
            try writer.submit(batch(1, steps: [1, 2]), bytes: 10)
            try writer.submit(batch(2, steps: [3]), bytes: 10)
            await writer.drain()
            #expect(log.durable == 2 && log.released == 50)
            #expect(try await store.points(run).first?.1.steps == [1, 2, 3])
        }
    }

    @Test("a batch ahead of the next number is refused, and the stream goes on")
    func gap() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            try writer.submit(batch(1, steps: [1]), bytes: 1)
            #expect { try writer.submit(batch(3, steps: [3]), bytes: 1) } throws: {
                ($0 as? LinajeError)?.code == .failedPrecondition
            }
            try writer.submit(batch(2, steps: [2]), bytes: 1)
            await writer.drain()
            #expect(try await store.points(run).first?.1.steps == [1, 2])
        }
    }

    @Test("the last batch number there is can be stored")
    func lastNumber() async throws {
        try await withStore(path) { store in
            _ = try await store.open(run, writer)
        }
        let last = UInt64(Int64.max)
        let backend = try SQLiteBackend(path: path)
        _ = try await backend.write { [run, writer] in
            try $0.execute(
                "INSERT INTO metric_writers (run, writer, durable_through) VALUES (?, ?, ?)",
                [.blob(run.array), .blob(writer.array), .integer(.max - 1)])
        }
        try await backend.close()
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            #expect(writer.durableThrough == last - 1)
            try writer.submit(
                batch(last, steps: [.min, .max], values: [1, 2], time: 0), bytes: 1)
            await writer.drain()
            #expect(try await store.points(run).first?.1.steps == [.min, .max])
        }
    }

    @Test("opening a writer again takes over: the older one ends, what it queued counts")
    func takeover() async throws {
        try await withStore(path) { store in
            let log = WriterLog()
            let old = try await store.open(run, writer, log)
            for number in 1...20 { try old.submit(batch(UInt64(number), steps: [1]), bytes: 1) }
            let new = try await store.open(run, writer)
            #expect(log.failures.map(\.code) == [.leaseHeld])
            #expect(new.durableThrough == 20)
            #expect { try old.submit(batch(21, steps: [1]), bytes: 1) } throws: {
                ($0 as? LinajeError)?.code == .leaseHeld
            }
            try new.submit(batch(21, steps: [1]), bytes: 1)
            await new.drain()
            #expect(try await store.points(run).first?.1.count == 21)
        }
    }

    @Test("of many that open one writer at once, one keeps it and no batch is lost or doubled")
    func contendedTakeover() async throws {
        try await withStore(path) { store in
            let logs = (0..<20).map { _ in WriterLog() }
            await withTaskGroup(of: Void.self) { group in
                for log in logs {
                    group.addTask {
                        guard let writer = try? await store.open(run, writer, log) else { return }
                        var next = writer.durableThrough + 1
                        while next <= 500,
                            (try? writer.submit(batch(next, steps: [Int64(next)]), bytes: 1))
                                != nil
                        { next += 1 }
                        // One that opened after the last batch has nothing to be told.
                        guard writer.durableThrough < 500, log.failures.isEmpty else { return }
                        await log.wait(through: 500)
                    }
                }
            }
            let last = try await store.open(run, writer)
            let found = try await store.points(run)
            #expect(found.first?.1.steps == (1...Int64(last.durableThrough)).map { $0 })
            #expect(last.durableThrough == 500)
        }
    }

    @Test("a writer resumes after what is durable when the store is opened again")
    func reopening() async throws {
        for round in 0..<5 {
            try await withStore(path) { store in
                let writer = try await store.open(run, writer)
                #expect(writer.durableThrough == UInt64(round * 3))
                for number in 1...3 {
                    let sequence = writer.durableThrough + UInt64(number)
                    try writer.submit(batch(sequence, steps: [Int64(sequence)]), bytes: 1)
                }
                await writer.drain()
            }
        }
        try await withStore(path) { store in
            let steps = try await store.points(run).first?.1.steps
            #expect(steps == (1...15).map { $0 })
        }
    }

    @Test("a shutdown drains what was queued")
    func shutdownDrains() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            for number in 1...200 {
                try writer.submit(batch(UInt64(number), steps: [Int64(number)]), bytes: 1)
            }
        }
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            #expect(writer.durableThrough == 200)
            #expect(try await store.points(run).first?.1.count == 200)
        }
    }

    @Test("several writers of one run fill one series; each has its own numbers")
    func severalWriters() async throws {
        try await withStore(path) { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        let writer = try await store.open(
                            run, WriterID(bytes: Bytes16(high: 9, low: UInt64(number))))
                        for sequence in 1...50 {
                            try writer.submit(
                                batch(UInt64(sequence), steps: [Int64(sequence * 8 + number)]),
                                bytes: 1)
                        }
                        await writer.drain()
                    }
                }
                try await group.waitForAll()
            }
            let found = try await store.points(run)
            #expect(found.count == 1 && found.first?.1.steps == (8..<408).map { $0 })
            let summary = try await store.summaries(run, keys: []).first
            #expect(summary?.count == 400 && summary?.first.step == 8 && summary?.last.step == 407)
        }
    }

    @Test("more bytes than the queue holds are refused as overloaded; they may come again")
    func queueBound() async throws {
        let gate = Gate()
        try await withStore(path, queueBytes: 1_000, decorate: { GatedBackend($0, gate) }) {
            store in
            let log = WriterLog()
            let writer = try await store.open(run, writer, log)
            await gate.shut()
            try writer.submit(batch(1, steps: [1]), bytes: 600)
            try writer.submit(batch(2, steps: [2]), bytes: 400)
            #expect { try writer.submit(batch(3, steps: [3]), bytes: 1) } throws: {
                ($0 as? LinajeError)?.code == .overloaded
            }
            #expect(store.statistics.queuedBytes == 1_000)
            await gate.open()
            await writer.drain()
            try writer.submit(batch(3, steps: [3]), bytes: 1_000)
            await writer.drain()
            #expect(log.durable == 3 && log.released == 2_000)
        }
    }

    @Test("batches that arrive during a commit become one segment of the next, split at 65,536")
    func merging() async throws {
        let gate = Gate()
        try await withStore(path, decorate: { GatedBackend($0, gate) }) { store in
            let writer = try await store.open(run, writer)
            await gate.shut()
            let steps = (0..<16_384).map { Int64($0) }
            for number in 1...9 { try writer.submit(batch(UInt64(number), steps: steps), bytes: 1) }
            await gate.open()
            await writer.drain()
            #expect(try await store.points(run).first?.1.count == 9 * 16_384)
        }
        let backend = try SQLiteBackend(path: path)
        let sizes = try await backend.read {
            try $0.all("SELECT points, data, id FROM metric_segments ORDER BY id") { row in
                let segment = try MetricSegment(decoding: row.blob(1), run: run, id: row.int(2))
                #expect(segment.count == Int(try row.int(0)))
                return segment.count
            }
        }
        #expect(sizes.allSatisfy { $0 <= 65_536 } && sizes.reduce(0, +) == 9 * 16_384)
        #expect(sizes.count <= 4)
        try await backend.close()
    }

    @Test("a writer that was closed takes nothing more, and its numbers go on at the next opening")
    func closing() async throws {
        try await withStore(path) { store in
            let writer = try await store.open(run, writer)
            try writer.submit(batch(1, steps: [1]), bytes: 1)
            writer.close()
            #expect(throws: LinajeError.self) { try writer.submit(batch(2, steps: [2]), bytes: 1) }
            let again = try await store.open(run, self.writer)
            #expect(again.durableThrough == 1)
        }
    }
}

/// Holds writes back while it is shut.
actor Gate {
    private var isShut = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func shut() { isShut = true }

    func open() {
        isShut = false
        waiting.forEach { $0.resume() }
        waiting = []
    }

    func pass() async {
        while isShut { await withCheckedContinuation { waiting.append($0) } }
    }
}

/// A backend whose writes pass a gate.
struct GatedBackend: ForwardingSQLBackend {
    let inner: any SQLBackend
    let gate: Gate

    init(_ inner: any SQLBackend, _ gate: Gate) {
        self.inner = inner
        self.gate = gate
    }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        await gate.pass()
        return try await inner.write(body)
    }
}
