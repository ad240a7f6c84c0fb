import CSQLiteCalls
import CStorageCalls
import GRDBSQLite
import Glibc
import LinajeDomain
public import LinajePluginKit

/// A database file opened by itself, while no daemon uses it: to look at it without changing
/// anything, or to repair it.
///
/// For one thread. Every call blocks.
public final class SQLiteFile: SQLConnection {
    /// What it is opened for.
    public enum Purpose: Sendable {
        /// Only to look: neither the file nor the log beside it changes.
        case look
        /// To change it; a log that is left beside it is taken in.
        case repair
    }

    /// Where the file is.
    public let path: String
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]
    /// Files that SQLite makes beside the database and that were not there before.
    private let newcomers: [String]

    /// - Throws: `readOnly` when the file is not there or cannot be opened, `corrupt`.
    public init(_ path: String, for purpose: Purpose) throws {
        sqlite_calls_prepare()
        self.path = path
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        var name = path
        switch purpose {
        case .repair:
            flags |= SQLITE_OPEN_READWRITE
            newcomers = []
        case .look where SQLiteFile.size(path + "-wal") > 0:
            // The log holds the newest state, and reading it needs an index in shared memory.
            flags |= SQLITE_OPEN_READONLY
            newcomers = [path + "-shm"].filter { SQLiteFile.size($0) < 0 }
        case .look:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            name = "file:\(SQLiteFile.escaped(path))?immutable=1"
            newcomers = []
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            defer { sqlite3_close_v2(opened) }
            throw SQLiteFailure.error(of: opened, code: code, path: path, doing: "open")
        }
        handle = opened
        sqlite3_busy_timeout(handle, 1_000)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
        for path in newcomers { storage_unlink(path) }
    }

    public var dialect: SQLDialect { .sqlite }

    @discardableResult
    public func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        let before = sqlite3_total_changes(handle)
        try statement(sql).run(arguments) { _ in }
        return sqlite3_total_changes(handle) == before ? 0 : Int(sqlite3_changes(handle))
    }

    public func query(
        _ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void
    ) throws {
        try statement(sql).run(arguments) { try row(SQLiteRow(statement: $0)) }
    }

    /// Runs `body` in a transaction.
    public func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        try execute("BEGIN IMMEDIATE")
        do {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            if sqlite3_get_autocommit(handle) == 0 { _ = try? execute("ROLLBACK") }
            throw error
        }
    }

    /// The migrations that the database has seen, by namespace, oldest first.
    public func migrations() throws -> [String: [String]] {
        let isThere = try first(
            "SELECT 1 FROM sqlite_schema WHERE name = 'linaje_migrations'"
        ) { _ in true }
        guard isThere != nil else { return [:] }
        var out: [String: [String]] = [:]
        try query(
            "SELECT namespace, name FROM linaje_migrations ORDER BY namespace, position", []
        ) { row in
            out[try row.text(0), default: []].append(try row.text(1))
        }
        return out
    }

    /// Bytes of a file; -1 when there is none.
    static func size(_ path: String) -> Int64 {
        var status = storage_status()
        return storage_status_of(path, &status) == 0 ? Int64(clamping: status.size) : -1
    }

    private func statement(_ sql: String) throws -> SQLiteStatement {
        let pointer: OpaquePointer
        if let known = statements[sql], sqlite3_stmt_busy(known) == 0 {
            pointer = known
        } else {
            var made: OpaquePointer?
            let code = sqlite3_prepare_v2(handle, sql, -1, &made, nil)
            guard code == SQLITE_OK, let made else {
                throw SQLiteFailure.error(of: handle, code: code, path: path, doing: sql)
            }
            // One that is busy keeps its place; the other ends with the connection.
            if let busy = statements.updateValue(made, forKey: sql) {
                statements["\(sql) -- \(statements.count)"] = busy
            }
            pointer = made
        }
        return SQLiteStatement(
            pointer: pointer, handle: handle, path: path, sql: sql, failed: { _ in })
    }

    /// A path as part of a URI (https://www.sqlite.org/uri.html).
    private static func escaped(_ path: String) -> String {
        path.replacing("%", with: "%25").replacing("?", with: "%3f").replacing("#", with: "%23")
    }
}
