import LinajeDomain
public import LinajePluginKit

/// What every `SQLBackend` must do.
public enum SQLBackendSuite {
    /// The cases. Each opens a database of its own.
    ///
    /// - Parameter make: An empty database; the case closes it.
    public static func cases(
        make: @Sendable @escaping () async throws -> any SQLBackend
    ) -> [ConformanceCase] {
        transactions(make) + values(make) + migrations(make) + backfills(make) + upkeep(make)
            + concurrency(make)
    }

    typealias Make = @Sendable () async throws -> any SQLBackend

    /// What a case throws inside a transaction to roll it back.
    struct Stop: Error {}

    private static func transactions(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("the descriptor names a SQL backend") {
                try await with(make) { database in
                    try requireEqual(database.descriptor.kind, .sqlBackend, "the kind")
                    try require(!database.descriptor.name.isEmpty, "the descriptor has no name")
                }
            },
            ConformanceCase("what a transaction wrote is there after it") {
                try await with(make, [table]) { database in
                    let changed = try await database.write { connection in
                        try connection.execute(
                            "INSERT INTO things (id, name) VALUES (?, ?), (?, ?)",
                            [.integer(1), .text("one"), .integer(2), .text("two")])
                    }
                    try requireEqual(changed, 2, "the number of changed rows")
                    try requireEqual(try await names(in: database), ["one", "two"], "the names")
                }
            },
            ConformanceCase("a transaction that throws leaves nothing behind") {
                try await with(make, [table]) { database in
                    do {
                        try await database.write { connection in
                            try connection.execute(
                                "INSERT INTO things (id, name) VALUES (1, 'gone')")
                            throw Stop()
                        }
                        throw ConformanceFailure("write swallows the error of its body")
                    } catch is Stop {}
                    try requireEqual(try await names(in: database), [], "the names")
                    try await database.write { connection in
                        _ = try connection.execute(
                            "INSERT INTO things (id, name) VALUES (1, 'kept')")
                    }
                    try requireEqual(try await names(in: database), ["kept"], "the names after")
                }
            },
            ConformanceCase("a broken unique constraint is a conflict and rolls back") {
                try await with(make, [table]) { database in
                    try await requireError(.conflict, "the second row with the same name") {
                        try await database.write { connection in
                            try connection.execute(
                                "INSERT INTO things (id, name) VALUES (1, 'same')")
                            try connection.execute(
                                "INSERT INTO things (id, name) VALUES (2, 'same')")
                        }
                    }
                    try requireEqual(try await names(in: database), [], "the names")
                }
            },
            ConformanceCase("a read sees one state, whatever is written meanwhile") {
                try await with(make, [table]) { database in
                    try await database.write { connection in
                        _ = try connection.execute(
                            "INSERT INTO things (id, name) VALUES (1, 'first')")
                    }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask {
                            for id in 2..<60 {
                                try await database.write { connection in
                                    _ = try connection.execute(
                                        "INSERT INTO things (id, name) VALUES (?, ?)",
                                        [.integer(Int64(id)), .text("name \(id)")])
                                }
                            }
                        }
                        for _ in 0..<20 {
                            group.addTask {
                                let counts = try await database.read { connection in
                                    try (0..<10).map { _ in
                                        try connection.first(
                                            "SELECT COUNT(*) FROM things", []
                                        ) { try $0.int(0) }
                                    }
                                }
                                try requireEqual(
                                    Set(counts).count, 1, "the number of states one read saw")
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            },
            ConformanceCase("a transaction reads what it wrote") {
                try await with(make, [table]) { database in
                    let count = try await database.write { connection in
                        try connection.execute("INSERT INTO things (id, name) VALUES (1, 'own')")
                        return try connection.first("SELECT COUNT(*) FROM things", []) {
                            try $0.int(0)
                        }
                    }
                    try requireEqual(count, 1, "the count inside the transaction")
                }
            },
            ConformanceCase("a row closure that throws stops the query with its error") {
                try await with(make, [table]) { database in
                    try await database.write { connection in
                        _ = try connection.execute(
                            "INSERT INTO things (id, name) VALUES (1, 'a'), (2, 'b')")
                    }
                    do {
                        try await database.read { connection in
                            try connection.query("SELECT id FROM things", []) { _ in throw Stop() }
                        }
                        throw ConformanceFailure("query swallows the error of its closure")
                    } catch is Stop {}
                }
            },
            ConformanceCase("SQL that is wrong is a LinajeError") {
                try await with(make, [table]) { database in
                    do {
                        try await database.read { connection in
                            _ = try connection.all("SELECT nothing FROM nowhere") { _ in 0 }
                        }
                    } catch is LinajeError {
                        return
                    }
                    throw ConformanceFailure("a query of no table succeeds")
                }
            },
        ]
    }

    private static func values(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("every value comes back as it went in") {
                let values: [SQLValue] = [
                    .null, .integer(0), .integer(-1), .integer(.max), .integer(.min),
                    .integer(1 << 53 + 1),
                ]
                try await roundTrip(values, column: "whole", make)
                try await roundTrip(
                    [
                        .null, .real(0.5), .real(-1e300), .real(.leastNonzeroMagnitude),
                        .real(.infinity),
                        .real(-.infinity), .real(.greatestFiniteMagnitude), .real(1.0 / 3),
                    ], column: "number", make)
                try await roundTrip(
                    [
                        .null, .text(""), .text("a'b\"c;--"), .text("naïve 模型 🧬"),
                        .text(String(repeating: "x", count: 100_000)), .text("line\nline\t"),
                        .text("123"),
                    ], column: "name", make)
                try await roundTrip(
                    [
                        .null, .blob([]), .blob([0]), .blob([0xff, 0, 0xfe]),
                        .blob([UInt8](repeating: 0xa5, count: 1 << 20)),
                    ], column: "bytes", make)
            },
            ConformanceCase("a NaN comes back as NaN or NULL, never as a number") {
                try await with(make, [table]) { database in
                    try await database.write { connection in
                        _ = try connection.execute(
                            "INSERT INTO things (id, number) VALUES (1, ?)", [.real(.nan)])
                    }
                    let found = try await database.read { connection in
                        try connection.first("SELECT number FROM things", []) { $0[0] }
                    }
                    if case .real(let value) = found, value.isNaN { return }
                    try requireEqual(found, .null, "the NaN")
                }
            },
            ConformanceCase("rows come in the order asked for and columns by their place") {
                try await with(make, [table]) { database in
                    try await database.write { connection in
                        for id in [3, 1, 2] {
                            _ = try connection.execute(
                                "INSERT INTO things (id, name) VALUES (?, ?)",
                                [.integer(Int64(id)), .text("n\(id)")])
                        }
                    }
                    let rows = try await database.read { connection in
                        try connection.all("SELECT name, id FROM things ORDER BY id DESC") {
                            "\(try $0.text(0))=\(try $0.int(1))"
                        }
                    }
                    try requireEqual(rows, ["n3=3", "n2=2", "n1=1"], "the rows")
                }
            },
            ConformanceCase("the identity type counts up and never reuses a number") {
                let counted = SQLMigration(
                    "counted", ["CREATE TABLE counted (id {identity}, name TEXT)"])
                try await with(make, [counted]) { database in
                    try await database.write { connection in
                        for _ in 0..<3 {
                            try connection.execute("INSERT INTO counted (name) VALUES ('x')")
                        }
                        try connection.execute("DELETE FROM counted WHERE id = 3")
                        try connection.execute("INSERT INTO counted (name) VALUES ('y')")
                    }
                    let ids = try await database.read { connection in
                        try connection.all("SELECT id FROM counted ORDER BY id") { try $0.int(0) }
                    }
                    try requireEqual(ids, [1, 2, 4], "the ids")
                }
            },
        ]
    }

    private static func migrations(_ make: @escaping Make) -> [ConformanceCase] {
        let second = SQLMigration(
            "second", ["INSERT INTO things (id, name) VALUES (7, 'from migration')"])
        return [
            ConformanceCase("each migration is applied once, also when asked again") {
                try await with(make, [table, second]) { database in
                    try await database.migrate(namespace, [table, second])
                    try await database.migrate(namespace, [table, second])
                    try requireEqual(
                        try await names(in: database), ["from migration"], "the names")
                }
            },
            ConformanceCase("a migration appended later is applied to what is there") {
                try await with(make, [table]) { database in
                    try requireEqual(try await names(in: database), [], "the names before")
                    try await database.migrate(namespace, [table, second])
                    try requireEqual(
                        try await names(in: database), ["from migration"], "the names after")
                }
            },
            ConformanceCase("a database that has seen more migrations is too new") {
                try await with(make, [table, second]) { database in
                    try await requireError(.storeTooNew, "opening by an older program") {
                        try await database.migrate(namespace, [table])
                    }
                }
            },
            ConformanceCase("namespaces have their own migrations") {
                try await with(make, [table]) { database in
                    let other = SQLMigration("table", ["CREATE TABLE others (id BIGINT)"])
                    try await database.migrate("conformance other", [other])
                    try await database.migrate(namespace, [table])
                }
            },
            ConformanceCase("a migration that fails changes nothing and can be repaired") {
                try await with(make, [table]) { database in
                    let broken = SQLMigration(
                        "broken",
                        [
                            "INSERT INTO things (id, name) VALUES (1, 'half')",
                            "INSERT INTO nowhere VALUES (1)",
                        ])
                    do {
                        try await database.migrate(namespace, [table, broken])
                        throw ConformanceFailure("a migration with wrong SQL succeeds")
                    } catch is LinajeError {}
                    try requireEqual(try await names(in: database), [], "the names after failure")
                    try await database.migrate(namespace, [table, second])
                    try requireEqual(
                        try await names(in: database), ["from migration"], "the names after repair")
                }
            },
        ]
    }

    private static func concurrency(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("50 increments at once are 50 increments") {
                try await with(make, [table]) { database in
                    try await database.write { connection in
                        _ = try connection.execute("INSERT INTO things (id, whole) VALUES (1, 0)")
                    }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<50 {
                            group.addTask {
                                try await database.write { connection in
                                    let value = try connection.first(
                                        "SELECT whole FROM things WHERE id = 1", []
                                    ) { try $0.int(0) }
                                    _ = try connection.execute(
                                        "UPDATE things SET whole = ? WHERE id = 1",
                                        [.integer((value ?? 0) + 1)])
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    let value = try await database.read { connection in
                        try connection.first("SELECT whole FROM things WHERE id = 1", []) {
                            try $0.int(0)
                        }
                    }
                    try requireEqual(value, 50, "the counter")
                }
            }
        ]
    }

    // MARK: Parts

    static let namespace = "conformance"

    static let table = SQLMigration(
        "table",
        [
            """
            CREATE TABLE things (
                id BIGINT NOT NULL PRIMARY KEY,
                name TEXT UNIQUE,
                whole BIGINT,
                number DOUBLE PRECISION,
                bytes {blob}
            )
            """
        ])

    static func with(
        _ make: Make, _ migrations: [SQLMigration] = [],
        _ body: (any SQLBackend) async throws -> Void
    ) async throws {
        let database = try await make()
        do {
            if !migrations.isEmpty { try await database.migrate(namespace, migrations) }
            try await body(database)
        } catch {
            try? await database.close()
            throw error
        }
        try await database.close()
    }

    static func names(in database: any SQLBackend) async throws -> [String] {
        try await database.read { connection in
            try connection.all("SELECT name FROM things ORDER BY id") { try $0.text(0) }
        }
    }

    private static func roundTrip(
        _ values: [SQLValue], column: String, _ make: Make
    ) async throws {
        try await with(make, [table]) { database in
            try await database.write { connection in
                for (id, value) in values.enumerated() {
                    _ = try connection.execute(
                        "INSERT INTO things (id, \(column)) VALUES (?, ?)",
                        [.integer(Int64(id)), value])
                }
            }
            let found = try await database.read { connection in
                try connection.all("SELECT \(column) FROM things ORDER BY id") { $0[0] }
            }
            try requireEqual(found.count, values.count, "the number of rows")
            for (value, found) in zip(values, found) {
                try requireEqual(found, value, "a value of column \(column)")
            }
        }
    }
}
