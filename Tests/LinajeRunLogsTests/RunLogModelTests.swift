import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeRunLogs

/// The log against a model: random appends, resends that are cut anew, several writers, merges,
/// crashes before and after a commit, restarts.
@Suite struct RunLogModelTests {
    /// One byte of the log, or of a gap.
    private struct Item: Equatable {
        var byte: UInt8?
        var stream: LogStream?
        var writer: UInt32 = 0
    }

    private struct WriterModel {
        var id = WriterID.random()
        /// Everything that the writer has to say, and when.
        var items: [Item] = []
        var durable = 0
        var number: UInt32?
    }

    private struct Model {
        var log: [Item] = []
        var writers: [WriterModel] = [WriterModel(), WriterModel(), WriterModel()]
    }

    @Test(
        "whatever is resent, merged and crashed, the log is every byte once, in order",
        arguments: 1...8 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator(seed: seed)
        var model = Model()
        let run = RunID.random()
        for _ in 0..<4 {
            let sqlite = try SQLiteBackend(path: directory.file("metrics.db"))
            let failing = FailingBackend(sqlite)
            let store = RunLogStore(backend: failing, logger: quietLogger)
            try await store.prepare()
            for _ in 0..<25 {
                try await step(store, failing, run, &model, &generator)
            }
            try await compare(store, run, model, &generator)
            try await sqlite.close()
        }
    }

    private func step(
        _ store: RunLogStore, _ failing: FailingBackend, _ run: RunID, _ model: inout Model,
        _ generator: inout SeededGenerator
    ) async throws {
        let crash = Int.random(in: 0..<8, using: &generator)
        if crash < 2 {
            failing.failNext(LinajeError(.unavailable, "killed"), commits: crash == 1)
        }
        if Int.random(in: 0..<6, using: &generator) == 0 {
            // A merge that a crash hits half-way, or not.
            _ = try? await store.mergeNow(run)
            return
        }
        let index = Int.random(in: model.writers.indices, using: &generator)
        speak(&model.writers[index], &generator)
        let writer = model.writers[index]
        let start = Int.random(in: 0...writer.durable, using: &generator)
        let end = Int.random(in: writer.durable...writer.items.count, using: &generator)
        let records = cut(writer.items[start..<end], &generator)
        let before = writer.durable
        do {
            let answer = try await store.append(
                run: run, writer: writer.id, offset: UInt64(start), records)
            #expect(answer.durable == UInt64(max(end, before)))
        } catch let error as LinajeError where error.code == .unavailable {
            // Whether it was committed, the next answer says: the model asks at once.
            let now = try await store.append(run: run, writer: writer.id, offset: 0, [])
            #expect(now.durable == UInt64(before) || now.durable == UInt64(end))
            guard now.durable == UInt64(end) else { return }
        }
        guard end > before else { return }
        if writer.number == nil {
            model.writers[index].number = UInt32(model.writers.count { $0.number != nil })
        }
        let number = model.writers[index].number ?? 0
        model.log += writer.items[before..<end].map { item in
            item.byte == nil ? item : Item(byte: item.byte, stream: item.stream, writer: number)
        }
        model.writers[index].durable = end
    }

    /// The writer has more to say.
    private func speak(_ writer: inout WriterModel, _ generator: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let isMissing = Int.random(in: 0..<10, using: &generator) == 0
            let stream = Bool.random(using: &generator) ? LogStream.stdout : .stderr
            let isLong = Int.random(in: 0..<40, using: &generator) == 0
            let count = Int.random(in: 1...(isLong ? 70_000 : 200), using: &generator)
            for _ in 0..<count {
                let byte = UInt8.random(in: 0...20, using: &generator)
                writer.items.append(isMissing ? Item() : Item(byte: byte, stream: stream))
            }
        }
    }

    /// Items as records, cut at random.
    private func cut(
        _ items: ArraySlice<Item>, _ generator: inout SeededGenerator
    ) -> [LogRecord] {
        var out: [LogRecord] = []
        var rest = items
        while let first = rest.first {
            let most = Int.random(in: 1...30_000, using: &generator)
            let part = rest.prefix(most).prefix { $0.stream == first.stream }
            let time = Timestamp(microseconds: Int64.random(in: 0...1_000, using: &generator))
            out.append(
                first.stream.map {
                    LogRecord(time: time, .bytes($0, part.compactMap(\.byte)))
                } ?? LogRecord(time: time, .missing(UInt64(part.count))))
            rest = rest.dropFirst(part.count)
        }
        return out
    }

    private func compare(
        _ store: RunLogStore, _ run: RunID, _ model: Model, _ generator: inout SeededGenerator
    ) async throws {
        // Line feeds before each place.
        var feeds = [0]
        for item in model.log { feeds.append(feeds[feeds.count - 1] + (item.byte == 0x0A ? 1 : 0)) }
        let start = UInt64.random(in: 0...UInt64(model.log.count), using: &generator)
        for place in [0, start] {
            let placed = try await store.all(run, from: place)
            #expect(items(placed) == Array(model.log[Int(place)...]))
            var next = place
            for one in placed {
                #expect(one.offset == next)
                #expect(one.line == UInt64(feeds[Int(one.offset)]) + 1)
                next += one.record.size
            }
        }
        let errors = try await store.all(run, streams: [.stderr])
        #expect(items(errors) == model.log.filter { $0.stream != .stdout })
        let extent = try await store.extent(run)
        #expect(extent.end == UInt64(model.log.count))
        #expect(extent.bytes == UInt64(model.log.count { $0.byte != nil }))
        #expect(extent.lines == UInt64(model.log.count { $0.byte == 0x0A }))
        for _ in 0..<5 {
            let line = UInt64.random(in: 1...extent.lines + 1, using: &generator)
            let offset = try await store.offset(of: .line(line), run, streams: [])
            #expect(feeds[Int(offset)] == Int(line) - 1)
            #expect(line == 1 || model.log[Int(offset) - 1].byte == 0x0A)
        }
    }

    private func items(_ placed: [PlacedLogRecord]) -> [Item] {
        placed.flatMap { one in
            switch one.record.content {
            case .bytes(let stream, let bytes):
                bytes.map { Item(byte: $0, stream: stream, writer: one.writer) }
            case .missing(let count): [Item](repeating: Item(), count: Int(count))
            }
        }
    }
}
