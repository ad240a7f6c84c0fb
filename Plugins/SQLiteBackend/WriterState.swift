import CSQLiteCalls
import GRDB
import GRDBSQLite
import LinajeDomain
import LinajePluginKit
import Synchronization

/// What the one writing connection keeps: whether it failed for good, how long the log is.
///
/// Its methods that take a database run on the writer's queue.
final class WriterState: Sendable {
    /// Frames (pages) of the log after which it is moved into the database.
    static let checkpointFrames = 4_096
    /// Frames from which on the writer waits for readers, so that the log can start over.
    static let restartFrames = 65_536

    /// Milliseconds that a statement waits for a lock.
    static let busyWait: Int32 = 5_000
    /// Milliseconds that a restart of the log waits for readers.
    private static let restartWait: Int32 = 100

    let path: String
    private let metrics: SQLiteMetrics
    private let failed = Mutex<LinajeError?>(nil)
    private let logFrames = Atomic<Int>(0)
    private let dueFrames = Atomic<Int>(WriterState.checkpointFrames)
    private let commits = Atomic<UInt64>(0)
    /// The address of the writer's `sqlite3`, for its own queue.
    private let handle = Atomic<UInt>(0)

    init(path: String, metrics: SQLiteMetrics) {
        self.path = path
        self.metrics = metrics
    }

    /// The first failed write or fsync, after which nothing is written any more.
    var failure: LinajeError? { failed.withLock { $0 } }

    /// Transactions so far that changed something.
    var changes: UInt64 { commits.load(ordering: .relaxed) }

    /// Sets up the writer once the pool has switched to WAL.
    ///
    /// - Throws: `storageFailed` when commits would not be fsynced.
    func prepare(_ database: Database) throws {
        _ = try Row.fetchOne(database, sql: "PRAGMA synchronous=FULL")
        let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        let journal = try String.fetchOne(database, sql: "PRAGMA journal_mode")
        guard synchronous == 2, journal == "wal" else {
            throw LinajeError(
                .storageFailed,
                "database \"\(path)\" does not take synchronous=FULL in WAL mode, so commits "
                    + "would not be durable; put it on a local file system")
        }
        handle.store(UInt(bitPattern: database.sqliteConnection), ordering: .relaxed)
        // The hook lives as long as this object's owner, which also owns the connection.
        sqlite3_wal_hook(
            database.sqliteConnection,
            { context, _, _, frames in
                guard let context else { return SQLITE_OK }
                let state = Unmanaged<WriterState>.fromOpaque(context).takeUnretainedValue()
                state.logFrames.store(Int(frames), ordering: .relaxed)
                state.metrics.logHas(frames: Int(frames))
                state.commits.add(1, ordering: .relaxed)
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Runs `body` in a transaction; when this returns, the transaction is fsynced.
    func transaction<Value>(
        _ database: Database, _ body: (any SQLConnection) throws -> Value
    ) throws -> Value {
        if let failure { throw failure }
        let connection = try SQLiteConnection(database, path: path, failed: { self.fail($0) })
        do {
            try connection.execute("BEGIN IMMEDIATE")
            let value = try body(connection)
            // A body that caught the error of a failed write must not commit what is left.
            if let failure { throw failure }
            let started = ContinuousClock.now
            try connection.execute("COMMIT")
            metrics.committed(since: started)
            return value
        } catch {
            connection.rollBack()
            throw error
        }
    }

    /// Moves the log into the database file when it has grown long. Runs after the commit has been
    /// answered; a failure refuses the next one.
    func checkpointIfDue(_ database: Database) {
        let frames = logFrames.load(ordering: .relaxed)
        guard frames >= dueFrames.load(ordering: .relaxed), failure == nil else { return }
        // What matters of an error is noted; the commits so far are durable in the log.
        guard frames >= Self.restartFrames else {
            _ = try? checkpoint(database, SQLITE_CHECKPOINT_PASSIVE)
            return
        }
        _ = try? checkpointBriefly(database, SQLITE_CHECKPOINT_RESTART)
    }

    /// A checkpoint that may wait for readers, but only a moment: the next commit waits for it.
    @discardableResult
    func checkpointBriefly(_ database: Database, _ mode: Int32) throws -> (left: Int, moved: Int) {
        guard let handle = database.sqliteConnection else { return (0, 0) }
        sqlite3_busy_timeout(handle, Self.restartWait)
        defer { sqlite3_busy_timeout(handle, Self.busyWait) }
        return try checkpoint(database, mode)
    }

    /// Moves the log into the database file.
    ///
    /// - Returns: frames that a reader still holds in the log, and all that were moved of it.
    /// - Throws: `storageFailed` when an fsync or write fails, `storageFull`.
    @discardableResult
    func checkpoint(_ database: Database, _ mode: Int32) throws -> (left: Int, moved: Int) {
        if let failure { throw failure }
        guard let handle = database.sqliteConnection else { return (0, 0) }
        var left: Int32 = 0
        var moved: Int32 = 0
        let started = ContinuousClock.now
        let result = sqlite3_wal_checkpoint_v2(handle, nil, mode, &left, &moved)
        metrics.checkpointed(since: started)
        // A reader may hold on to older frames: then look again after as many new ones.
        let isComplete = result == SQLITE_OK && left == moved
        dueFrames.store(
            (isComplete ? 0 : max(0, Int(moved))) + Self.checkpointFrames, ordering: .relaxed)
        if isComplete {
            logFrames.store(0, ordering: .relaxed)
            metrics.logHas(frames: 0)
        }
        guard result != SQLITE_OK, result & 0xff != SQLITE_BUSY, result & 0xff != SQLITE_LOCKED
        else { return (max(0, Int(left) - Int(moved)), max(0, Int(moved))) }
        let error = SQLiteFailure.error(
            of: handle, code: result, path: path, doing: "checkpoint")
        fail(error)
        throw error
    }

    /// Notes an error after which nothing is written any more. On the writer's queue.
    func fail(_ error: LinajeError) {
        guard error.code == .storageFailed else { return }
        failed.withLock { if $0 == nil { $0 = error } }
        // Closing the last connection would checkpoint: it would try the fsync again.
        sqlite_calls_keep_log(
            UnsafeMutableRawPointer(bitPattern: handle.load(ordering: .relaxed)))
    }
}
