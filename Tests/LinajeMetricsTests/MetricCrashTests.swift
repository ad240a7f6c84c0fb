import Foundation
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeMetrics

/// Random streams against the model, over crashes between any two steps of ingest and compaction.
@Suite struct MetricCrashTests {
    /// A session's writers, and what they have sent.
    private struct Session {
        var generator: SeededGenerator
        var model = MetricModel()
        let run = RunID(bytes: Bytes16(high: 1, low: 1))
        let writers = (0..<3).map { WriterID(bytes: Bytes16(high: 3, low: UInt64($0))) }
        /// All batches that each writer has made, by number from 1.
        var batches: [WriterID: [MetricBatch]] = [:]
        /// How many of them are in the model.
        var modelled: [WriterID: Int] = [:]
        var crashes = 0
        var compactions = 0

        /// Takes into the model what turned out to be durable.
        mutating func settle(_ writer: WriterID, through durable: UInt64) {
            let known = modelled[writer, default: 0]
            for batch in batches[writer, default: []][known..<max(known, Int(durable))] {
                model.add(batch)
            }
            modelled[writer] = max(known, Int(durable))
        }
    }

    @Test(
        "streams with repeats, reorders, reconnects, compactions and crashes equal the model",
        arguments: 1...5)
    func crashes(seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        var session = Session(generator: SeededGenerator(seed: seed))
        for life in 0..<12 {
            let path = directory.file("\(life).db")
            let next = directory.file("\(life + 1).db")
            let crashed = try await live(path, next, &session)
            guard crashed else {
                // It went down in order: the next life has the same files.
                for suffix in ["", "-wal"] {
                    try? FileManager.default.copyItem(atPath: path + suffix, toPath: next + suffix)
                }
                continue
            }
            session.crashes += 1
        }
        #expect(session.crashes >= 6 && session.compactions >= 6, "seed \(seed)")
    }

    /// One life of the engine; says whether it ended in a crash.
    private func live(
        _ path: String, _ image: String, _ session: inout Session
    ) async throws -> Bool {
        let sqlite = try SQLiteBackend(path: path)
        let backend = CrashingBackend(sqlite, image: image)
        let store = MetricStore(
            backend: backend, logger: quietLogger(), queueBytes: 1 << 20,
            summaries: SummaryCache(
                limit: [2, 1_000].randomElement(using: &session.generator) ?? 2,
                segmentsBetweenStores: .random(in: 1...9, using: &session.generator)),
            compaction: .never,
            historyGroupPoints: [1, 100, 1 << 20].randomElement(using: &session.generator) ?? 1)
        try await store.prepare()
        let running = Task { try await store.run() }  // Ended below.
        try await check(store, &session)
        backend.crash(after: .random(in: 1...250, using: &session.generator))
        do {
            for _ in 0..<25 { try await act(store, backend, &session) }
        } catch let error as LinajeError where error == CrashingBackend.error {}
        running.cancel()
        try await running.value
        let crashed = backend.hasCrashed
        try await sqlite.close()
        return crashed
    }

    /// What a life does, at random.
    private func act(
        _ store: MetricStore, _ backend: CrashingBackend, _ session: inout Session
    ) async throws {
        switch Int.random(in: 0..<10, using: &session.generator) {
        case 0..<6: try await send(store, &session)
        case 6..<9:
            let outcome = try await RunCompaction.small(
                backend, session.run, segments: .random(in: 1...9, using: &session.generator)
            ).step()
            session.compactions += outcome?.chunks ?? 0 > 0 ? 1 : 0
        default: _ = try await store.summaries(session.run, keys: [])
        }
    }

    /// A writer connects, repeats some of what is durable, sends new batches and waits for them.
    private func send(_ store: MetricStore, _ session: inout Session) async throws {
        guard let id = session.writers.randomElement(using: &session.generator) else { return }
        let log = WriterLog()
        let writer = try await store.open(session.run, id, log)
        // What an earlier life had durable without saying so.
        session.settle(id, through: writer.durableThrough)
        var made = session.batches[id, default: []]
        for _ in 0..<Int.random(in: 0...4, using: &session.generator) {
            made.append(try randomBatch(UInt64(made.count + 1), &session.generator))
        }
        session.batches[id] = made
        let durable = Int(writer.durableThrough)
        let first = max(0, durable - Int.random(in: 0...2, using: &session.generator))
        for batch in made[first...] { try writer.submit(batch, bytes: 1) }
        // Writers take turns: arrival between them is the order of their commits.
        guard made.count > durable else { return }
        guard await log.wait(through: UInt64(made.count)) else {
            session.settle(id, through: log.durable)
            throw CrashingBackend.error
        }
        session.settle(id, through: UInt64(made.count))
    }

    /// After a crash each writer learns how far it is; then everything must be as in the model.
    private func check(_ store: MetricStore, _ session: inout Session) async throws {
        for id in session.writers {
            let writer = try await store.open(session.run, id)
            let known = session.modelled[id, default: 0]
            let made = session.batches[id, default: []].count
            #expect((known...made).contains(Int(writer.durableThrough)))
            session.settle(id, through: writer.durableThrough)
            writer.close()
        }
        let summaries = try await store.summaries(session.run, keys: [])
        #expect(summaries.map(text) == session.model.summaries().map(text))
        for query in try bucketQueries(&session.generator) {
            let found = try await store.bucketTexts(session.run, query)
            let expected = session.model.buckets(query).flatMap { text($0.0, $0.1) }
            #expect(found == expected, "\(query)")
        }
        for query in queries(&session.generator) {
            let found = try await store.points(session.run, query).flatMap { series, columns in
                text(series, (0..<columns.count).map { columns[$0] })
            }
            let expected = session.model.history(query).flatMap { text($0.0, $0.1) }
            // Only where they part: the lists are long.
            let difference = zip(found, expected).first { $0 != $1 }.map { "\($0)" }
            #expect(
                difference == nil && found.count == expected.count,
                "\(query) \(difference ?? "counts")")
        }
    }

    @Test("a history has every point once, in order, however compaction moves them meanwhile")
    func compactionUnderReaders() async throws {
        let directory = try TemporaryDirectory()
        let sqlite = try SQLiteBackend(path: directory.file("metrics.db"))
        let store = MetricStore(
            backend: sqlite, logger: quietLogger(), queueBytes: 1 << 24,
            summaries: SummaryCache(), compaction: .never, historyGroupPoints: 1)
        try await store.prepare()
        let running = Task { try await store.run() }  // Ended below.
        let run = RunID.random()
        var generator = SeededGenerator(seed: 11)
        var model = MetricModel()
        let writer = try await store.open(run, WriterID.random())
        for sequence in 1...120 {
            let steps = (0..<40).map { _ in
                Int64(sequence) + Int64.random(in: -6...6, using: &generator)
            }
            let batch = try batch(
                UInt64(sequence), steps: steps, values: steps.map { _ in Double(generator.next()) })
            try writer.submit(batch, bytes: 1)
            model.add(batch)
            await writer.drain()
        }
        for segments in [1, 3, 40] {
            var found: [String] = []
            for try await (series, columns) in store.history(run, MetricQuery()) {
                found += text(series, (0..<columns.count).map { columns[$0] })
                _ = try await RunCompaction.small(sqlite, run, segments: segments).step()
            }
            #expect(found == model.history(MetricQuery()).flatMap { text($0.0, $0.1) })
        }
        running.cancel()
        try await running.value
        try await sqlite.close()
    }
}
