import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

@testable import SQLiteBackend

@Suite struct SQLiteMaintenanceTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("test.db") }

    init() throws { directory = try TemporaryDirectory() }

    private static let schema = [
        SQLMigration(
            "pages",
            [
                "CREATE TABLE pages (id {identity}, number INTEGER, bytes {blob})",
                "CREATE INDEX pages_by_number ON pages (number)",
            ])
    ]

    /// A database with so many rows of a page each.
    private func filled(_ rows: Int) async throws -> SQLiteBackend {
        let backend = try SQLiteBackend(path: path)
        try await backend.migrate("test", Self.schema)
        try await Self.insert(rows, into: backend)
        return backend
    }

    private static func insert(_ rows: Int, into backend: SQLiteBackend) async throws {
        try await backend.write { connection in
            for number in 0..<rows {
                try connection.execute(
                    "INSERT INTO pages (number, bytes) VALUES (?, ?)",
                    [.integer(Int64(number)), .blob([UInt8](repeating: 7, count: 4_000))])
            }
        }
    }

    private func pragma(_ name: String, _ backend: SQLiteBackend) async throws -> Int64 {
        try await backend.read { try $0.first("PRAGMA \(name)") { try $0.int(0) } } ?? -1
    }

    private func size(_ suffix: String = "") -> Int64 { SQLiteFile.size(path + suffix) }

    @Test("vacuum takes a bounded number of pages a turn, lets commits between, shrinks the file")
    func vacuum() async throws {
        let backend = try await filled(1_500)
        try await backend.checkpoint()
        let before = size()
        try await backend.write { _ = try $0.execute("DELETE FROM pages WHERE id % 3 <> 0") }
        try await backend.checkpoint()
        let free = try await pragma("freelist_count", backend)
        #expect(free > 900)

        var cursor: String?
        var turns: [UInt64] = []
        var freed: UInt64 = 0
        repeat {
            let step = try await backend.maintain(.vacuum, from: cursor)
            cursor = step.next
            turns.append(step.done)
            freed += step.freedBytes
            // What one turn writes is what a commit behind it waits for: each page that moves, the
            // page that points at it and the map of pages.
            let frames = max(0, size("-wal") - 32) / (4_096 + 24)
            #expect(frames <= 4 * Int64(WriterState.vacuumPages))
            try await Self.insert(1, into: backend)
            try await backend.checkpoint()
        } while cursor != nil
        let limit = UInt64(WriterState.vacuumPages)
        #expect(turns.allSatisfy { $0 <= limit }, "\(turns)")
        #expect(UInt64(turns.count) >= UInt64(free) / limit)
        #expect(freed > 900 * 4_096)
        #expect(size() < before - 900 * 4_096)
        let count = try await backend.read { connection in
            try connection.first("SELECT COUNT(*) FROM pages") { try $0.int(0) }
        }
        #expect(count == 500 + Int64(turns.count))
        #expect(try await pragma("freelist_count", backend) < 10)
        try await backend.close()
    }

    @Test("a database made without room for it says how it can be made to shrink")
    func oldDatabase() async throws {
        try "".write(toFile: path, atomically: true, encoding: .utf8)
        let old = try SQLiteFile(path, for: .repair)
        try old.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, bytes BLOB)")
        try old.execute("INSERT INTO old (bytes) VALUES (zeroblob(4000000))")
        let backend = try SQLiteBackend(path: path)
        let nothing = try await backend.maintain(.vacuum, from: nil)
        #expect(nothing == SQLMaintenanceStep())
        try await backend.write { _ = try $0.execute("DELETE FROM old") }
        await #expect {
            try await backend.maintain(.vacuum, from: nil)
        } throws: { error in
            let error = error as? LinajeError
            return error?.code == .failedPrecondition
                && error?.message.contains("linajed --recover --vacuum") == true
        }
        try await backend.close()
    }

    @Test("analyze looks at one table a turn and leaves what the planner needs")
    func analyze() async throws {
        let backend = try await filled(50)
        var cursor: String?
        var tables: [UInt64] = []
        repeat {
            let step = try await backend.maintain(.analyze, from: cursor)
            cursor = step.next
            tables.append(step.left)
        } while cursor != nil
        // linaje_backfills, linaje_migrations, pages
        #expect(tables == [2, 1, 0])
        let known = try await backend.read { connection in
            try connection.all("SELECT idx FROM sqlite_stat1 WHERE tbl = 'pages'") {
                try $0.text(0)
            }
        }
        #expect(known == ["pages_by_number"])
        try await backend.close()
    }

    @Test("checkpoint empties the log; a reader that needs it is left in peace")
    func checkpoint() async throws {
        let backend = try await filled(20)
        #expect(size("-wal") > 0)
        let reading = AsyncStream<Void>.makeStream()
        let release = DispatchSemaphore(value: 0)
        let reader = Task {
            try await backend.read { connection in
                let count = try connection.first("SELECT COUNT(*) FROM pages") { try $0.int(0) }
                reading.continuation.finish()
                release.wait()
                return count
            }
        }
        for await _ in reading.stream {}
        try await Self.insert(1, into: backend)
        var left: UInt64 = 0
        var cursor: String?
        repeat {
            let step = try await backend.maintain(.checkpoint, from: cursor)
            (cursor, left) = (step.next, step.left)
        } while cursor != nil
        #expect(left > 0)
        #expect(size("-wal") > 0)
        release.signal()
        #expect(try await reader.value == 20)
        repeat {
            cursor = try await backend.maintain(.checkpoint, from: cursor).next
        } while cursor != nil
        #expect(size("-wal") == 0)
        try await backend.close()
    }

    @Test("changes are counted, reads and rolled back transactions are not")
    func changes() async throws {
        let backend = try await filled(1)
        let before = backend.changes
        _ = try await pragma("page_count", backend)
        try? await backend.write { connection in
            try connection.execute("DELETE FROM pages")
            throw CancellationError()
        }
        #expect(backend.changes == before)
        try await Self.insert(1, into: backend)
        #expect(backend.changes == before + 1)
        try await backend.close()
    }

    @Test("looking at a file leaves it and the log beside it as they are")
    func looking() async throws {
        let backend = try await filled(3)
        for isLogEmpty in [false, true] {
            if isLogEmpty { try await backend.checkpoint() }
            let copy = directory.file("copy.db")
            for suffix in ["", "-wal"] {
                try? FileManager.default.removeItem(atPath: copy + suffix)
                try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
            }
            let before = try ["", "-wal"].map { try Data(contentsOf: URL(filePath: copy + $0)) }
            #expect(
                try SQLiteFile(copy, for: .look).migrations() == ["test": ["pages"]],
                "empty log: \(isLogEmpty)")
            let after = try ["", "-wal"].map { try Data(contentsOf: URL(filePath: copy + $0)) }
            #expect(before == after)
            #expect(!FileManager.default.fileExists(atPath: copy + "-shm"))
        }
        try await backend.close()
    }
}
