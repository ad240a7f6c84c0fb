import LinajeDomain

/// A named step of a schema. Steps are only ever appended.
///
/// Its statements must be quick whatever the tables hold, because nothing is served before they are
/// done. What takes its time on a full table is a `backfill`.
public struct SQLMigration: Sendable {
    public var name: String
    /// Statements, run in order. "{blob}", "{identity}", "{clustered}" and "{bytewise}" stand for what
    /// the dialect says.
    public var statements: [String]
    /// What is worked through afterwards, while the database is in use.
    public var backfill: SQLBackfill?

    public init(_ name: String, _ statements: [String], backfill: SQLBackfill? = nil) {
        self.name = name
        self.statements = statements
        self.backfill = backfill
    }
}

/// The part of a migration that runs while the database is in use: it derives something new from
/// rows that were there before, in batches.
///
/// Each batch is a transaction that also records how far the work is, so that a process killed at
/// any moment goes on where it was, and no batch is done twice. Until the backfill is finished
/// (`SQLConnection.isBackfilled`) readers answer without what it makes; new rows are written with it
/// from the first statement of the migration on.
public struct SQLBackfill: Sendable {
    /// What a batch did.
    public struct Batch: Sendable, Hashable {
        /// Rows it worked through.
        public var rows: Int
        /// Where the next batch begins; `nil`: nothing is left.
        public var next: String?

        public init(rows: Int, next: String?) {
            self.rows = rows
            self.next = next
        }
    }

    /// A query for the number of rows there are to work through, for the progress.
    public var total: String
    /// Does one batch from a place on, "" for the first. It must be short: commits wait for it.
    public var batch: @Sendable (any SQLConnection, String) throws -> Batch

    public init(
        total: String, batch: @escaping @Sendable (any SQLConnection, String) throws -> Batch
    ) {
        self.total = total
        self.batch = batch
    }
}

/// How far a backfill is.
public struct SQLBackfillProgress: Sendable, Hashable {
    /// The namespace of the migration: "catalog".
    public var namespace: String
    /// The name of the migration.
    public var name: String
    /// Rows worked through.
    public var done: UInt64
    /// Rows there were to work through when it began.
    public var total: UInt64
    public var isFinished: Bool

    public init(
        namespace: String, name: String, done: UInt64, total: UInt64, isFinished: Bool
    ) {
        self.namespace = namespace
        self.name = name
        self.done = done
        self.total = total
        self.isFinished = isFinished
    }

    /// 0 to 100; 100 only when it is finished.
    public var percent: Int {
        guard !isFinished else { return 100 }
        guard total > 0 else { return 0 }
        return Int(min(99, Double(done) / Double(total) * 100))
    }
}

/// Brings the schema of one namespace up to date on any database, and records it there.
///
/// ```
/// linaje_migrations   (namespace name)*  (namespace position)!
/// linaje_backfills    (namespace name)*  place  done  total  finished     place: Batch.next
/// ```
public struct SQLMigrator: Sendable {
    private let namespace: String
    private let migrations: [SQLMigration]

    public init(_ namespace: String, _ migrations: [SQLMigration]) {
        self.namespace = namespace
        self.migrations = migrations
    }

    /// Applies the statements of the migrations that `database` has not seen, each migration in a
    /// transaction, and notes their backfills.
    ///
    /// - Throws: `storeTooNew` when it has seen migrations that are not in the list.
    public func apply(to database: some SQLBackend) async throws {
        _ = try await database.write { connection in
            for table in Self.tables { try connection.execute(table) }
        }
        let namespace = namespace
        let seen = try await database.read { try Self.seen($0, namespace) }
        try check(seen)
        for position in seen.count..<max(seen.count, migrations.count) {
            let migration = migrations[position]
            let dialect = database.dialect
            _ = try await database.write { connection in
                for statement in migration.statements {
                    try connection.execute(dialect.adapted(statement))
                }
                try connection.execute(
                    "INSERT INTO linaje_migrations (namespace, name, position) VALUES (?, ?, ?)",
                    [.text(namespace), .text(migration.name), .integer(Int64(position))])
                guard let backfill = migration.backfill else { return }
                let total = try connection.first(backfill.total) { try $0.int(0) } ?? 0
                try connection.execute(
                    """
                    INSERT INTO linaje_backfills (namespace, name, place, done, total, finished)
                    VALUES (?, ?, '', 0, ?, ?)
                    """,
                    [.text(namespace), .text(migration.name), .integer(total), .bool(total == 0)])
            }
        }
    }

    /// Does the next batch of the first backfill that is not finished.
    ///
    /// - Returns: how far that backfill is then; `nil` when there is none.
    public func backfill(_ database: some SQLBackend) async throws -> SQLBackfillProgress? {
        let namespace = namespace
        let pending = try await database.read { connection in
            try Self.backfills(connection, namespace).first { !$0.progress.isFinished }
        }
        guard let pending else { return nil }
        let name = pending.progress.name
        guard let backfill = migrations.first(where: { $0.name == name })?.backfill else {
            throw LinajeError(
                .internalError, "backfill \"\(name)\" of \(namespace) is not known; update linaje")
        }
        return try await database.write { connection in
            // Looked at again: somebody else may have done a batch meanwhile.
            let current = try Self.backfills(connection, namespace)
                .first { $0.progress.name == name }
            guard let current, !current.progress.isFinished else { return current?.progress }
            let batch = try backfill.batch(connection, current.place)
            var progress = current.progress
            progress.done += UInt64(clamping: batch.rows)
            progress.isFinished = batch.next == nil
            try connection.execute(
                """
                UPDATE linaje_backfills SET place = ?, done = ?, finished = ?
                WHERE namespace = ? AND name = ?
                """,
                [
                    .text(batch.next ?? ""), .integer(Int64(clamping: progress.done)),
                    .bool(progress.isFinished), .text(namespace), .text(name),
                ])
            return progress
        }
    }

    /// The names that `linaje_migrations` holds for a namespace, oldest first.
    private static func seen(
        _ connection: any SQLConnection, _ namespace: String
    ) throws -> [String] {
        try connection.all(
            "SELECT name FROM linaje_migrations WHERE namespace = ? ORDER BY position",
            [.text(namespace)]
        ) { try $0.text(0) }
    }

    /// - Parameter seen: what `seen` answered.
    /// - Throws: `storeTooNew` when the list does not begin with these names, saying how far each
    ///   goes.
    public func check(_ seen: [String]) throws {
        for (position, name) in seen.enumerated()
        where position >= migrations.count || migrations[position].name != name {
            throw LinajeError(
                .storeTooNew,
                "\(namespace) is at step \(seen.count) (\"\(name)\"), this version knows "
                    + "\(migrations.count): a newer version of linaje wrote it; update linajed or "
                    + "restore an older copy",
                details: ["namespace": namespace])
        }
    }

    private static func backfills(
        _ connection: any SQLConnection, _ namespace: String
    ) throws -> [(progress: SQLBackfillProgress, place: String)] {
        try connection.all(
            """
            SELECT b.name, b.done, b.total, b.finished, b.place
            FROM linaje_backfills b JOIN linaje_migrations m
                ON m.namespace = b.namespace AND m.name = b.name
            WHERE b.namespace = ? ORDER BY m.position
            """, [.text(namespace)]
        ) { row in
            let progress = SQLBackfillProgress(
                namespace: namespace, name: try row.text(0),
                done: UInt64(clamping: try row.int(1)), total: UInt64(clamping: try row.int(2)),
                isFinished: try row.int(3) != 0)
            return (progress, try row.text(4))
        }
    }

    private static let tables = [
        """
        CREATE TABLE IF NOT EXISTS linaje_migrations (
            namespace TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (namespace, name), UNIQUE (namespace, position))
        """,
        """
        CREATE TABLE IF NOT EXISTS linaje_backfills (
            namespace TEXT NOT NULL, name TEXT NOT NULL, place TEXT NOT NULL,
            done BIGINT NOT NULL, total BIGINT NOT NULL, finished BIGINT NOT NULL,
            PRIMARY KEY (namespace, name))
        """,
    ]
}

extension SQLBackend {
    /// Does the next batch of the first backfill of `migrations` that is not finished.
    ///
    /// - Returns: how far that backfill is then; `nil` when there is none.
    public func backfill(
        _ namespace: String, _ migrations: [SQLMigration]
    ) async throws -> SQLBackfillProgress? {
        try await SQLMigrator(namespace, migrations).backfill(self)
    }

    /// The backfills that are not finished, of all namespaces.
    public func pendingBackfills() async throws -> [SQLBackfillProgress] {
        try await read { connection in
            try connection.all(
                """
                SELECT namespace, name, done, total FROM linaje_backfills
                WHERE finished = 0 ORDER BY namespace, name
                """
            ) { row in
                SQLBackfillProgress(
                    namespace: try row.text(0), name: try row.text(1),
                    done: UInt64(clamping: try row.int(2)),
                    total: UInt64(clamping: try row.int(3)), isFinished: false)
            }
        }
    }
}

extension SQLConnection {
    /// Whether what the backfill of a migration makes is complete in the state this connection
    /// sees. Readers ask in the same transaction as they use it.
    public func isBackfilled(_ namespace: String, _ name: String) throws -> Bool {
        let finished = try first(
            "SELECT finished FROM linaje_backfills WHERE namespace = ? AND name = ?",
            [.text(namespace), .text(name)]
        ) { try $0.int(0) }
        return finished == 1
    }
}

extension SQLDialect {
    /// A statement with the dialect's types.
    func adapted(_ statement: String) -> String {
        statement.replacing("{blob}", with: blob).replacing("{identity}", with: identity)
            .replacing("{clustered}", with: clustered).replacing("{bytewise}", with: bytewise)
    }
}
