import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

@testable import LinajeRunLogs

@Suite struct RunLogStoreTests {
    let directory: TemporaryDirectory
    let run = RunID(bytes: Bytes16(high: 1, low: 1))
    let writer = WriterID(bytes: Bytes16(high: 2, low: 2))
    var path: String { directory.file("metrics.db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test("an append past what is durable is an error that says what is")
    func gap() async throws {
        try await withLogs(path) { store in
            _ = try await store.append(run: run, writer: writer, offset: 0, [.out("abc")])
            await #expect {
                try await store.append(run: run, writer: writer, offset: 4, [.out("e")])
            } throws: {
                let error = $0 as? LinajeError
                return error?.code == .failedPrecondition && error?.details["durable_offset"] == "3"
            }
            #expect(try await store.text(run) == "abc")
        }
    }

    @Test("a full log keeps what it has, counts the rest, and takes nothing more")
    func full() async throws {
        try await withLogs(path, limit: 5) { store in
            let first = try await store.append(run: run, writer: writer, offset: 0, [.out("abcd")])
            #expect(first == .init(durable: 4, isFull: false))
            let second = try await store.append(
                run: run, writer: writer, offset: 4, [.err("efg"), .out("hi")])
            #expect(second == .init(durable: 9, isFull: true))
            let third = try await store.append(run: run, writer: writer, offset: 9, [.out("j")])
            #expect(third == .init(durable: 10, isFull: true))
            #expect(try await store.text(run) == "abcde[5]")
            let extent = try await store.extent(run)
            #expect(extent.bytes == 5 && extent.end == 10)
        }
    }

    @Test("what is too much for one append is refused before anything is stored")
    func bounds() async throws {
        try await withLogs(path) { store in
            let long = LogRecord(
                time: Timestamp(microseconds: 0),
                .bytes(.stdout, [UInt8](repeating: 0, count: Limits.logAppendBytes + 1)))
            let many = [LogRecord](repeating: .out("x"), count: Limits.logAppendRecords + 1)
            for records in [[long], many, [.missing(.max)], [.missing(1), .missing(.max)]] {
                await #expect {
                    try await store.append(run: run, writer: writer, offset: 0, records)
                } throws: { ($0 as? LinajeError)?.code == .limitExceeded }
            }
            let extent = try await store.extent(run)
            #expect(extent == LogExtent())
        }
    }

    @Test("writers that together claim more than a log can count are refused, each time")
    func claims() async throws {
        try await withLogs(path) { store in
            let most = LogRecord(
                time: Timestamp(microseconds: 0), .missing(UInt64(Int64.max) / 2))
            for _ in 0..<2 {
                _ = try await store.append(run: run, writer: .random(), offset: 0, [most])
            }
            for _ in 0..<2 {
                await #expect {
                    try await store.append(
                        run: run, writer: .random(), offset: 0, [.out("no more")])
                } throws: { ($0 as? LinajeError)?.code == .limitExceeded }
            }
            #expect(try await store.extent(run).bytes == 0)
        }
    }

    @Test("the last lines are found from the end, of the streams that are wanted")
    func lastLines() async throws {
        try await withLogs(path) { store in
            _ = try await store.append(
                run: run, writer: writer, offset: 0,
                [.out("one\ntw"), .err("oops\n"), .out("o\n"), .err("again"), .out("three\n")])
            func last(_ lines: UInt64, _ streams: Set<LogStream>) async throws -> String {
                let offset = try await store.offset(of: .last(lines), run, streams: streams)
                return try await store.text(run, from: offset, streams: streams)
            }
            #expect(try await last(1, [.stdout]) == "three\n")
            #expect(try await last(2, [.stdout]) == "two\nthree\n")
            #expect(try await last(1, [.stderr]) == "again")
            #expect(try await last(2, [.stderr]) == "oops\nagain")
            #expect(try await last(1, []) == "againthree\n")
            #expect(try await last(9, []) == "one\ntwoops\no\nagainthree\n")
            #expect(try await last(0, []) == "")
        }
    }

    @Test("a moment begins with the first record at it or after it")
    func moments() async throws {
        try await withLogs(path) { store in
            _ = try await store.append(
                run: run, writer: writer, offset: 0, [.out("a", at: 10), .out("b", at: 20)])
            _ = try await store.append(run: run, writer: writer, offset: 2, [.out("c", at: 30)])
            let expected: [(time: Int64, text: String)] = [
                (5, "abc"), (10, "abc"), (11, "bc"), (20, "bc"), (25, "c"), (31, ""),
            ]
            for (time, text) in expected {
                let offset = try await store.offset(
                    of: .time(Timestamp(microseconds: time)), run, streams: [])
                #expect(try await store.text(run, from: offset) == text)
            }
        }
    }

    @Test("many small chunks become few, and not a byte changes")
    func merging() async throws {
        let backend = try SQLiteBackend(path: path)
        let store = RunLogStore(backend: backend, logger: quietLogger)
        try await store.prepare()
        var offset: UInt64 = 0
        for number in 0..<700 {
            let record = LogRecord.out(
                "line \(number) of a log that comes slowly \n" + String(repeating: "x", count: 150))
            _ = try await store.append(run: run, writer: writer, offset: offset, [record])
            offset += record.size
        }
        let before = try await store.text(run)
        func rows() async throws -> Int64? {
            try await backend.read {
                try $0.first("SELECT COUNT(*) FROM run_log_chunks") { try $0.int(0) }
            }
        }
        #expect(try await rows() == 700)
        try await store.mergeNow(run)
        let merged = try await rows()
        #expect(merged.map { $0 <= 4 } == true)
        #expect(try await store.text(run) == before)
        try await backend.close()
    }

    @Test("two merges at once, and what is appended between them, cost no byte")
    func mergesAtOnce() async throws {
        let (run, writer) = (run, writer)
        let backend = try SQLiteBackend(path: path)
        let other = RunLogStore(backend: backend, logger: quietLogger)
        try await other.prepare()
        let offset = Mutex<UInt64>(0)
        @Sendable func append(_ text: String) async throws {
            let place = offset.withLock { $0 }
            let record = LogRecord.out(text)
            _ = try await other.append(run: run, writer: writer, offset: place, [record])
            offset.withLock { $0 = place + record.size }
        }
        for number in 0..<40 { try await append("line \(number)\n") }
        let before = try await other.text(run)
        // Between the plan of one merge and its transaction comes another, whole, with more lines.
        let interrupted = InterruptedBackend(backend) {
            try await append("between\n")
            try await other.mergeNow(run)
            try await append("after\n")
        }
        let store = RunLogStore(backend: interrupted, logger: quietLogger)
        try await store.mergeNow(run)
        #expect(interrupted.wasInterrupted)
        #expect(try await other.text(run) == before + "between\nafter\n")
        try await append("end\n")
        try await store.mergeNow(run)
        #expect(try await other.text(run) == before + "between\nafter\nend\n")
        // Many at once, without a plan.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                try await append("more \(number)\n")
                group.addTask { try await other.mergeNow(run) }
            }
            try await group.waitForAll()
        }
        let more = (0..<8).map { "more \($0)\n" }.joined()
        #expect(try await other.text(run) == before + "between\nafter\nend\n" + more)
        try await backend.close()
    }

    @Test("a log of many chunks is deleted in steps, and says how much it was")
    func deletingInSteps() async throws {
        try await withLogs(path) { store in
            let other = RunID.random()
            for number in UInt64(0)..<130 {
                for each in [run, other] {
                    _ = try await store.append(
                        run: each, writer: writer, offset: number, [.out("x")])
                }
            }
            var steps: [UInt64] = []
            try await store.delete(run) { steps.append($0) }
            #expect(steps == [64, 64, 2])
            #expect(try await store.text(run) == "")
            #expect(try await store.text(other) == String(repeating: "x", count: 130))
            try await store.delete(run) { _ in Issue.record("nothing is left to delete") }
        }
    }

    @Test("a deleted log is gone, and can be begun anew")
    func deleting() async throws {
        try await withLogs(path) { store in
            let other = RunID.random()
            for run in [run, other] {
                _ = try await store.append(run: run, writer: writer, offset: 0, [.out("abc")])
            }
            try await store.delete(run)
            #expect(try await store.text(run) == "")
            #expect(try await store.text(other) == "abc")
            let anew = try await store.append(run: run, writer: writer, offset: 0, [.out("d")])
            #expect(anew.durable == 1)
            #expect(try await store.text(run) == "d")
        }
    }

    @Test("after a failed fsync nothing is accepted any more, and reading goes on")
    func failedSync() async throws {
        let sqlite = try SQLiteBackend(path: path)
        let failing = FailingBackend(sqlite)
        let store = RunLogStore(backend: failing, logger: quietLogger)
        try await store.prepare()
        _ = try await store.append(run: run, writer: writer, offset: 0, [.out("abc")])
        let failure = LinajeError(.storageFailed, "fsync failed")
        failing.failNext(failure, commits: false)
        for _ in 0..<2 {
            await #expect(throws: failure) {
                try await store.append(run: run, writer: writer, offset: 3, [.out("def")])
            }
        }
        #expect(store.failure == failure)
        #expect(try await store.text(run) == "abc")
        try await sqlite.close()
    }

    @Test("a follower is woken by each append and by the end, and misses nothing")
    func following() async throws {
        try await withLogs(path) { store in
            let wakes = store.appends(run)
            async let heard = collect(wakes, store)
            for number in 0..<50 {
                _ = try await store.append(
                    run: run, writer: writer, offset: UInt64(number), [.out("\(number % 10)")])
            }
            store.endTails(run)
            let text = try await heard
            #expect(text == String(repeating: "0123456789", count: 5))
            #expect(store.tails.count == 0)
        }
    }

    private func collect(_ wakes: AsyncStream<Void>, _ store: RunLogStore) async throws -> String {
        var place: UInt64 = 0
        var text = ""
        func read() async throws {
            text += try await store.text(run, from: place)
            place = UInt64(text.utf8.count)
        }
        for await _ in wakes { try await read() }
        try await read()
        return text
    }

    @Test("recovery puts damaged chunks aside; the rest is read with a gap")
    func recovery() async throws {
        try await withLogs(path) { store in
            for (offset, text) in [(0, "abc"), (3, "def"), (6, "ghi")] {
                _ = try await store.append(
                    run: run, writer: writer, offset: UInt64(offset), [.out(text)])
            }
        }
        let backend = try SQLiteBackend(path: path)
        try await backend.write { connection in
            try connection.execute("DELETE FROM run_logs")
            let data = try connection.first(
                "SELECT data FROM run_log_chunks WHERE first_byte = 3"
            ) { try $0.blob(0) }
            var bytes = data ?? []
            bytes[bytes.count / 2] ^= 1
            try connection.execute(
                "UPDATE run_log_chunks SET data = ? WHERE first_byte = 3", [.blob(bytes)])
        }
        let report = try await RunLogInspection(backend: backend).run()
        #expect(report.losses.count == 1 && report.losses.first?.run == run)
        #expect(report.corrected == 1 && report.chunks == 3)
        let again = try await RunLogInspection(backend: backend).run()
        #expect(again.losses.isEmpty && again.known == 1 && again.corrected == 0)
        try await backend.close()
        try await withLogs(path) { store in
            let text = try await store.text(run)
            #expect(text == "abc[3]ghi")
        }
    }

    @Test("damaged bytes are an error that names run and chunk")
    func damage() async throws {
        try await withLogs(path) { store in
            _ = try await store.append(run: run, writer: writer, offset: 0, [.out("abc")])
        }
        let backend = try SQLiteBackend(path: path)
        _ = try await backend.write {
            try $0.execute("UPDATE run_log_chunks SET data = ?", [.blob([1, 2, 3])])
        }
        try await backend.close()
        try await withLogs(path) { store in
            await #expect { try await store.text(run) } throws: {
                let error = $0 as? LinajeError
                return error?.code == .corrupt && error?.message.contains("\(run)") == true
            }
        }
    }
}
