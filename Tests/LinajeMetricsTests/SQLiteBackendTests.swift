import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

@testable import SQLiteBackend

@Suite struct SQLiteBackendTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("test.db") }

    init() throws { directory = try TemporaryDirectory() }

    private func opened() async throws -> SQLiteBackend {
        let backend = try SQLiteBackend(path: path)
        try await backend.migrate(
            "test",
            [
                SQLMigration(
                    "values",
                    [
                        "CREATE TABLE v (id {identity}, number INTEGER UNIQUE, r REAL, t TEXT, b {blob})"
                    ]
                )
            ])
        return backend
    }

    @Test("the writer has synchronous=FULL, WAL, foreign keys, and no automatic checkpoints")
    func pragmas() async throws {
        let backend = try await opened()
        let read = { @Sendable (connection: any SQLConnection, pragma: String) throws in
            try connection.first("PRAGMA \(pragma)") { $0[0] }
        }
        let names = ["synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint"]
        let writer = try await backend.write { connection in
            try names.map { try read(connection, $0) }
        }
        #expect(writer == [.integer(2), .text("wal"), .integer(1), .integer(0)])
        let reader = try await backend.read { connection in
            try names.dropFirst().map { try read(connection, $0) }
        }
        #expect(reader == [.text("wal"), .integer(1), .integer(0)])
        try await backend.close()
    }

    @Test("a value is read as what it is, and as nothing else")
    func typedReads() async throws {
        let backend = try await opened()
        try await backend.write { connection in
            _ = try connection.execute(
                "INSERT INTO v (number, r, t, b) VALUES (?, ?, ?, ?)",
                [.integer(-7), .real(0.5), .text("é"), .blob([1, 2])])
        }
        let read = try await backend.read { connection in
            try connection.first("SELECT number, r, t, b, NULL, '' FROM v") { row in
                (
                    numbers: (try row.int(0), try row.double(0), try row.double(1)),
                    texts: [try row.text(2), try row.text(5)], bytes: try row.blob(3),
                    nulls: (0..<6).map { row.isNull($0) },
                    refused: (0..<6).map { index in
                        [
                            (try? row.int(index)) == nil, (try? row.double(index)) == nil,
                            (try? row.text(index)) == nil, (try? row.blob(index)) == nil,
                        ]
                    }
                )
            }
        }
        let found = try #require(read)
        #expect(found.numbers == (-7, -7, 0.5))
        #expect(found.texts == ["é", ""])
        #expect(found.bytes == [1, 2])
        #expect(found.nulls == [false, false, false, false, true, false])
        let all = [true, true, true, true]
        let text = [true, true, false, true]
        #expect(
            found.refused == [
                [false, false, true, true], [true, false, true, true], text,
                [true, true, true, false], all, text,
            ])
        try await backend.close()
    }

    @Test("files belong to the owner alone, also when the database was open to others before")
    func modes() async throws {
        let backend = try await opened()
        for suffix in ["", "-wal", "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
        }
        try await backend.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let again = try SQLiteBackend(path: path)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        try await again.close()
    }

    @Test("values of every type come back as they went, empty ones and NUL bytes included")
    func values() async throws {
        let backend = try await opened()
        let rows: [[SQLValue]] = [
            [.integer(.min), .real(-0.0), .text(""), .blob([])],
            [.integer(.max), .real(.infinity), .text("a\u{0}b é"), .blob([0, 255, 0])],
            [.null, .null, .null, .null],
        ]
        try await backend.write { connection in
            for row in rows {
                let changed = try connection.execute(
                    "INSERT INTO v (number, r, t, b) VALUES (?, ?, ?, ?)", row)
                #expect(changed == 1)
            }
        }
        let found = try await backend.read { connection in
            try connection.all("SELECT number, r, t, b FROM v ORDER BY id") { row in
                (0..<4).map { row[$0] }
            }
        }
        #expect(found == rows)
        try await backend.close()
    }

    @Test("a query may run inside the same query")
    func nestedQuery() async throws {
        let backend = try await opened()
        let pairs = try await backend.write { connection in
            for number in 0..<3 {
                try connection.execute(
                    "INSERT INTO v (number) VALUES (?)", [.integer(Int64(number))])
            }
            var pairs = 0
            try connection.query("SELECT number FROM v", []) { _ in
                try connection.query("SELECT number FROM v", []) { _ in pairs += 1 }
            }
            return pairs
        }
        #expect(pairs == 9)
        try await backend.close()
    }

    @Test("an error rolls back the whole transaction; a broken UNIQUE is a conflict")
    func rollback() async throws {
        let backend = try await opened()
        await #expect {
            try await backend.write { connection in
                try connection.execute("INSERT INTO v (number) VALUES (1)")
                try connection.execute("INSERT INTO v (number) VALUES (1)")
            }
        } throws: { ($0 as? LinajeError)?.code == .conflict }
        let count = try await backend.read { try $0.first("SELECT count(*) FROM v") { $0[0] } }
        #expect(count == .integer(0))
        try await backend.close()
    }

    @Test("a wrong number of arguments and a wrong statement are errors, not traps")
    func wrongStatements() async throws {
        let backend = try await opened()
        for (sql, arguments) in [
            ("INSERT INTO v (number) VALUES (?)", []),
            ("INSERT INTO v (number) VALUES (1)", [SQLValue.integer(1)]),
            ("SELEKT", []), ("", []), ("SELECT 1; SELECT 2", []),
        ] {
            await #expect(throws: LinajeError.self, "\(sql)") {
                _ = try await backend.write { try $0.execute(sql, arguments) }
            }
        }
        try await backend.close()
    }

    @Test("a read sees one snapshot while writes go on, and cannot write")
    func snapshot() async throws {
        let backend = try await opened()
        let before = try await backend.read { try $0.first("SELECT count(*) FROM v") { $0[0] } }
        _ = try await backend.write { try $0.execute("INSERT INTO v (number) VALUES (1)") }
        let after = try await backend.read { try $0.first("SELECT count(*) FROM v") { $0[0] } }
        #expect(before == .integer(0) && after == .integer(1))
        await #expect {
            try await backend.read { try $0.execute("INSERT INTO v (number) VALUES (2)") }
        } throws: { ($0 as? LinajeError)?.code == .readOnly }
        _ = try await backend.write { try $0.execute("INSERT INTO v (number) VALUES (3)") }
        try await backend.close()
    }

    @Test("a store with a migration that is not known here is too new")
    func tooNew() async throws {
        let backend = try await opened()
        let steps = [SQLMigration("a", ["CREATE TABLE a (x)"]), SQLMigration("b", [])]
        try await backend.migrate("other", steps)
        try await backend.migrate("other", steps)
        for known in [[], [steps[0]], [steps[1], steps[0]]] {
            await #expect { try await backend.migrate("other", known) } throws: {
                ($0 as? LinajeError)?.code == .storeTooNew
            }
        }
        try await backend.migrate("other", steps + [SQLMigration("c", ["CREATE TABLE c (x)"])])
        try await backend.close()
    }

    @Test("a migration that fails leaves nothing of itself")
    func failedMigration() async throws {
        let backend = try await opened()
        let bad = SQLMigration("bad", ["CREATE TABLE half (x)", "CREATE TABLE half (x)"])
        await #expect(throws: LinajeError.self) { try await backend.migrate("m", [bad]) }
        try await backend.migrate("m", [SQLMigration("bad", ["CREATE TABLE half (x)"])])
        try await backend.close()
    }

    @Test("what a file is that is no database, or in a folder that is not there, is said")
    func badFiles() throws {
        try Data((0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            .write(to: URL(fileURLWithPath: path))
        #expect { _ = try SQLiteBackend(path: path) } throws: {
            ($0 as? LinajeError)?.code == .corrupt
        }
        #expect { _ = try SQLiteBackend(path: directory.file("none/x.db")) } throws: {
            ($0 as? LinajeError)?.code == .readOnly
        }
    }

    @Test("the log is moved into the database as it grows, and emptied on close")
    func checkpoints() async throws {
        let backend = try await opened()
        let blob = [UInt8](repeating: 7, count: 1 << 20)
        for number in 0..<64 {
            _ = try await backend.write {
                try $0.execute(
                    "INSERT INTO v (number, b) VALUES (?, ?)",
                    [.integer(Int64(number)), .blob(blob)])
            }
        }
        let size = { (path: String) in
            try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        }
        let grown = try size(path + "-wal")
        #expect(grown < 40 << 20)
        try await backend.close()
        let left = try? size(path + "-wal")
        #expect(left == nil || left == 0)
        await #expect(throws: LinajeError.self) {
            _ = try await backend.write { try $0.execute("DELETE FROM v") }
        }
        let again = try SQLiteBackend(path: path)
        let count = try await again.read { try $0.first("SELECT count(*) FROM v") { $0[0] } }
        #expect(count == .integer(64))
        try await again.close()
    }

    @Test("a full database refuses the write whole, and takes it once there is room")
    func full() async throws {
        let backend = try await opened()
        let insert = { @Sendable (connection: any SQLConnection) throws -> Int in
            try connection.execute("INSERT INTO v (number) VALUES (1)")
            return try connection.execute(
                "INSERT INTO v (number, b) VALUES (2, ?)",
                [.blob([UInt8](repeating: 1, count: 1 << 20))])
        }
        _ = try await backend.write { connection in
            try connection.first("PRAGMA max_page_count=32") { $0[0] }
        }
        for _ in 0..<2 {
            await #expect { try await backend.write(insert) } throws: {
                ($0 as? LinajeError)?.code == .storageFull
            }
        }
        _ = try await backend.write { connection in
            try connection.first("PRAGMA max_page_count=100000") { $0[0] }
        }
        let changed = try await backend.write(insert)
        #expect(changed == 1)
        try await backend.close()
    }

    @Test(
        "SQLite's codes become errors that say what to do; a failed fsync is never a full disk",
        arguments: [
            (13, 0, LinajeError.Code.storageFull), (10 | 3 << 8, ENOSPC, .storageFull),
            (10 | 3 << 8, EIO, .storageFailed), (10 | 4 << 8, EIO, .storageFailed),
            (10 | 4 << 8, ENOSPC, .storageFailed), (10 | 5 << 8, EDQUOT, .storageFailed),
            (8 | 1 << 8, 0, .readOnly), (14, 0, .readOnly), (11, 0, .corrupt), (26, 0, .corrupt),
            (19 | 8 << 8, 0, .conflict), (19 | 6 << 8, 0, .conflict), (19, 0, .internalError),
            (5, 0, .unavailable), (18, 0, .limitExceeded), (1, 0, .internalError),
        ])
    func mapping(code: Int, system: Int32, expected: LinajeError.Code) {
        let error = SQLiteFailure.error(
            code: Int32(code), message: "reason", system: system, path: "/x.db", doing: "COMMIT")
        #expect(error.code == expected)
        #expect(error.message.contains("/x.db"))
    }
}
