import GRDB
import GRDBSQLite
import LinajeDomain
import LinajePluginKit

/// One of the pool's connections, for the time of a closure.
///
/// Statements come prepared from GRDB's cache; values are bound and read without a copy in
/// between.
struct SQLiteConnection: SQLConnection {
    private let database: Database
    private let handle: OpaquePointer
    private let path: String
    /// Told of every error, even if the closure catches it.
    private let failed: (LinajeError) -> Void

    var dialect: SQLDialect { .sqlite }

    /// - Throws: `unavailable` when the connection is closed.
    init(_ database: Database, path: String, failed: @escaping (LinajeError) -> Void) throws {
        guard let handle = database.sqliteConnection else {
            throw LinajeError(.unavailable, "database \"\(path)\" is closed; try again")
        }
        self.database = database
        self.handle = handle
        self.path = path
        self.failed = failed
    }

    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        let before = sqlite3_total_changes(handle)
        try run(sql, arguments) { _ in }
        return sqlite3_total_changes(handle) == before ? 0 : Int(sqlite3_changes(handle))
    }

    func query(
        _ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void
    ) throws {
        try run(sql, arguments) { try row(SQLiteRow(statement: $0)) }
    }

    /// Rolls back unless SQLite already has, as it does after some errors.
    func rollBack() {
        guard sqlite3_get_autocommit(handle) == 0 else { return }
        // Nothing more can be done: a rollback in WAL mode only forgets.
        _ = try? execute("ROLLBACK")
    }

    private func run(
        _ sql: String, _ arguments: [SQLValue], row: (OpaquePointer) throws -> Void
    ) throws {
        let statement = try prepared(sql)
        // A statement may be released by its cache while the closure runs others.
        try withExtendedLifetime(statement) {
            try SQLiteStatement(
                pointer: statement.sqliteStatement, handle: handle, path: path, sql: sql,
                failed: failed
            ).run(arguments, row: row)
        }
    }

    /// The cached statement, or a new one while that is in the middle of a query.
    private func prepared(_ sql: String) throws -> Statement {
        do {
            let statement = try database.cachedStatement(sql: sql)
            guard sqlite3_stmt_busy(statement.sqliteStatement) != 0 else { return statement }
            return try database.makeStatement(sql: sql)
        } catch {
            let mapped = SQLiteFailure.mapped(
                error, path: path, system: sqlite3_system_errno(handle))
            if let mapped = mapped as? LinajeError { failed(mapped) }
            throw mapped
        }
    }
}
