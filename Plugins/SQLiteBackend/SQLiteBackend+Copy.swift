import Dispatch
import GRDBSQLite
import LinajeDomain
import Synchronization

extension SQLiteBackend {
    /// Where copies are made, which blocks.
    private static let copyQueue = DispatchQueue(label: "linaje.sqlite.copy")

    /// Writes one state of the database to a new file, by SQLite's online backup. Commits go on; the
    /// log cannot be emptied before it is over.
    public func copy(to path: String) async throws {
        let copy = SQLiteCopy(from: self.path, to: path)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                Self.copyQueue.async { continuation.resume(with: Result { try copy.run() }) }
            }
        } onCancel: {
            copy.cancel()
        }
    }
}

/// One copy of a database in the making.
private final class SQLiteCopy: Sendable {
    /// Pages between two looks at whether it is still wanted: 8 MiB.
    private static let pagesPerStep: Int32 = 2_048

    private let source: String
    private let target: String
    private let isCancelled = Atomic<Bool>(false)

    init(from source: String, to target: String) {
        self.source = source
        self.target = target
    }

    func cancel() { isCancelled.store(true, ordering: .releasing) }

    func run() throws {
        try DatabaseFile.prepare(target)
        let from = try Self.open(source, SQLITE_OPEN_READONLY)
        defer { sqlite3_close_v2(from) }
        let to = try Self.open(target, SQLITE_OPEN_READWRITE)
        defer { sqlite3_close_v2(to) }
        // It is read once; and a copy that is not whole is not used.
        try Self.execute("PRAGMA cache_size=-1024", on: from, source)
        for pragma in ["PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"] {
            try Self.execute(pragma, on: to, target)
        }
        // One snapshot for all steps: without it a commit in between begins the copy anew.
        try Self.execute("BEGIN", on: from, source)
        try Self.execute("SELECT 1 FROM sqlite_schema LIMIT 1", on: from, source)
        guard let backup = sqlite3_backup_init(to, "main", from, "main") else {
            throw SQLiteFailure.error(of: to, code: SQLITE_ERROR, path: target, doing: "copy")
        }
        var code = SQLITE_OK
        var stopped = false
        while code == SQLITE_OK, !stopped {
            code = sqlite3_backup_step(backup, Self.pagesPerStep)
            stopped = isCancelled.load(ordering: .acquiring)
        }
        let end = sqlite3_backup_finish(backup)
        if stopped { throw CancellationError() }
        guard code == SQLITE_DONE, end == SQLITE_OK else {
            throw SQLiteFailure.error(
                of: to, code: code == SQLITE_DONE ? end : code, path: target,
                doing: "copy \(source)")
        }
        try Self.execute("COMMIT", on: from, source)
    }

    private static func open(_ path: String, _ flags: Int32) throws -> OpaquePointer {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(
            path, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let handle else {
            defer { sqlite3_close_v2(handle) }
            throw SQLiteFailure.error(of: handle, code: code, path: path, doing: "open")
        }
        sqlite3_busy_timeout(handle, 5_000)
        return handle
    }

    private static func execute(
        _ sql: String, on handle: OpaquePointer, _ path: String
    ) throws {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else {
            throw SQLiteFailure.error(of: handle, code: code, path: path, doing: sql)
        }
    }
}
