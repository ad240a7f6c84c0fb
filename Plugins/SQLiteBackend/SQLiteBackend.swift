import Dispatch
import GRDB
import GRDBSQLite
public import LinajeDomain
public import LinajePluginKit
import Synchronization

/// A `SQLBackend` on one SQLite file in WAL mode: one writer, several readers.
///
/// What `write` returned is fsynced. GRDB's pool sets `synchronous` to NORMAL when it switches to
/// WAL, which syncs only at checkpoints; it is set to FULL again afterwards and read back.
///
/// Only the writer checkpoints, and it does so itself instead of leaving it to SQLite: automatic
/// checkpoints hide an fsync that failed and would try it again, which may lose data silently.
/// An fsync or write that fails is therefore final: the backend refuses every later change with
/// the same error, and leaves file and log as they are for recovery at the next start: closing it
/// does not checkpoint either.
public final class SQLiteBackend: SQLBackend {
    public let descriptor = PluginDescriptor(name: "sqlite", kind: .sqlBackend, version: "1")
    public let dialect = SQLDialect.sqlite

    /// Most memory for pages that one connection keeps. Ids are random: each row goes to, or comes
    /// from, another place of the indexes, and what is not kept is read from the file each time.
    static let cacheKibibytes = 32 << 10

    /// Where the database file is.
    public let path: String
    private let pool: DatabasePool
    private let writer: WriterState
    private let metrics: SQLiteMetrics
    private let closed = Atomic<Bool>(false)

    /// Opens the database, making it with mode 0600 when it is not there.
    ///
    /// - Parameter readers: how many reads may run at the same time, at least 1.
    /// - Throws: `readOnly` when the file cannot be opened or written, `corrupt` when it is no
    ///   database, `storageFailed` when SQLite does not take `synchronous=FULL`.
    public init(path: String, readers: Int = 4) throws {
        self.path = path
        try DatabaseFile.prepare(path)
        var configuration = Configuration()
        configuration.label = "linaje.sqlite"
        configuration.maximumReaderCount = max(1, readers)
        configuration.busyMode = .timeout(Double(WriterState.busyWait) / 1_000)
        configuration.persistentReadOnlyConnections = true
        configuration.prepareDatabase { database in
            // Only before the first table can a file be made so that `vacuum` can shrink it.
            if try Int.fetchOne(database, sql: "PRAGMA page_count") == 0 {
                _ = try Row.fetchOne(database, sql: "PRAGMA auto_vacuum=INCREMENTAL")
            }
            for pragma in [
                "PRAGMA wal_autocheckpoint=0", "PRAGMA mmap_size=0", "PRAGMA foreign_keys=ON",
                "PRAGMA temp_store=MEMORY", "PRAGMA trusted_schema=OFF",
                "PRAGMA cache_size=-\(Self.cacheKibibytes)",
            ] {
                // Some of these answer with a row, which execute would refuse.
                _ = try Row.fetchOne(database, sql: pragma)
            }
        }
        let metrics = SQLiteMetrics(path: path)
        let state = WriterState(path: path, metrics: metrics)
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { try state.prepare($0) }
            self.pool = pool
        } catch {
            throw SQLiteFailure.mapped(error, path: path)
        }
        writer = state
        self.metrics = metrics
    }

    public func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try refuseIfClosed()
        if let failure = writer.failure { throw failure }
        // Not the pool's async write: that interrupts a commit when the task is cancelled, and
        // nobody would know whether it happened.
        return try await withCheckedThrowingContinuation { continuation in
            pool.asyncWriteWithoutTransaction { [writer] database in
                continuation.resume(with: Result { try writer.transaction(database, body) })
                writer.checkpointIfDue(database)
            }
        }
    }

    public func read<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await read(budget: nil, body)
    }

    public func read<Value: Sendable>(
        within budget: Duration,
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await read(budget: budget, body)
    }

    private func read<Value: Sendable>(
        budget: Duration?, _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try refuseIfClosed()
        let started = ContinuousClock.now
        return try await withCheckedThrowingContinuation { continuation in
            pool.asyncRead { [path, metrics] result in
                metrics.readBegins(since: started)
                continuation.resume(
                    with: Result {
                        do {
                            let database = try result.get()
                            let connection = try SQLiteConnection(
                                database, path: path, failed: { _ in })
                            guard let budget else { return try body(connection) }
                            return try SQLiteBudget(budget).run(on: database.sqliteConnection) {
                                try body(connection)
                            }
                        } catch let error as DatabaseError {
                            throw SQLiteFailure.mapped(error, path: path)
                        }
                    })
            }
        }
    }

    public func migrate(_ namespace: String, _ migrations: [SQLMigration]) async throws {
        do {
            try await SQLMigrator(namespace, migrations).apply(to: self)
        } catch var error as LinajeError where error.code == .storeTooNew {
            error.message = "database \"\(path)\": \(error.message)"
            throw error
        }
    }

    public func maintain(
        _ task: MaintenanceTask, from cursor: String?
    ) async throws -> SQLMaintenanceStep {
        try refuseIfClosed()
        if let failure = writer.failure { throw failure }
        return try await withCheckedThrowingContinuation { continuation in
            pool.asyncWriteWithoutTransaction { [writer] database in
                continuation.resume(
                    with: Result { try writer.maintain(database, task, from: cursor) })
                writer.checkpointIfDue(database)
            }
        }
    }

    public var changes: UInt64 { writer.changes }

    /// Moves the whole log into the database file and empties it. Waits for readers, at most the
    /// busy timeout of 5 s; a log that a reader still needs stays, which is no error.
    ///
    /// - Throws: `storageFailed` when an fsync fails; `storageFull`.
    public func checkpoint() async throws {
        try refuseIfClosed()
        if let failure = writer.failure { throw failure }
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            pool.asyncWriteWithoutTransaction { [writer] database in
                continuation.resume(
                    with: Result { try writer.checkpoint(database, SQLITE_CHECKPOINT_TRUNCATE) })
            }
        }
    }

    public func close() async throws {
        guard !closed.load(ordering: .acquiring) else { return }
        // After a failed fsync the log stays as it is.
        if writer.failure == nil { try await checkpoint() }
        closed.store(true, ordering: .releasing)
        // GRDB closes synchronously and waits for its readers: not on the cooperative pool.
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            DatabaseFile.closingQueue.async { [pool, path] in
                continuation.resume(
                    with: Result { try pool.close() }.mapError {
                        SQLiteFailure.mapped($0, path: path)
                    })
            }
        }
    }

    private func refuseIfClosed() throws {
        if closed.load(ordering: .acquiring) {
            throw LinajeError(.unavailable, "database \"\(path)\" is closed; try again")
        }
    }
}
