public import LinajeDomain

/// A relational database: SQLite in the box, PostgreSQL for fleets.
///
/// Closures run on a thread of the backend, never on Swift's cooperative pool, and see one
/// consistent state. Statements are portable SQL with "?" placeholders; what differs between
/// dialects goes through `SQLDialect`.
///
/// Errors are `LinajeError`: `storageFull`, `readOnly`, `corrupt`, `storeTooNew`,
/// `storageFailed` (an fsync or write failed: nothing may be acknowledged any more), `conflict` for
/// a broken UNIQUE constraint.
public protocol SQLBackend: Sendable {
    /// What the database is.
    var descriptor: PluginDescriptor { get }
    /// How its SQL differs.
    var dialect: SQLDialect { get }

    /// Runs a transaction that may write. It commits when `body` returns and is durable (fsynced)
    /// when this returns; it rolls back when `body` throws. Writers run one at a time.
    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value

    /// Runs reads on one snapshot.
    func read<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value

    /// Runs reads on one snapshot that may keep the database busy so long at most.
    ///
    /// - Throws: `limitExceeded` when they were stopped.
    func read<Value: Sendable>(
        within budget: Duration,
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value

    /// Applies the migrations that the database has not seen, in order, each in a transaction.
    /// Backfills among them are left pending: `backfill` works through them later.
    ///
    /// - Throws: `storeTooNew` when the database has seen migrations of this namespace that are
    ///   not in the list.
    func migrate(_ namespace: String, _ migrations: [SQLMigration]) async throws

    /// Does one bounded part of a maintenance task, in one turn of the writer, so that commits wait
    /// for that part at most. What the part changed is durable when this returns.
    ///
    /// - Parameter cursor: the `next` of the part before; `nil` for the first.
    /// - Throws: `failedPrecondition` when this database cannot do the task and a person has to act.
    func maintain(_ task: MaintenanceTask, from cursor: String?) async throws
        -> SQLMaintenanceStep

    /// Writes one state of the whole database to a new file, while it is used. The file is not
    /// synced.
    ///
    /// - Throws: `failedPrecondition` when this database has tools of its own for that;
    ///   `storageFull`, `corrupt`; `CancellationError` when the task is cancelled.
    func copy(to path: String) async throws

    /// Counts up with every transaction that changed something: equal numbers mean that nothing was
    /// written in between.
    var changes: UInt64 { get }

    /// Closes the database. Nothing else may be called afterwards.
    func close() async throws
}

extension SQLBackend {
    /// Reads without a bound, for databases that cannot stop a read or bound it themselves.
    public func read<Value: Sendable>(
        within budget: Duration,
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await read(body)
    }

    /// Nothing to do, for databases that look after themselves.
    public func maintain(
        _ task: MaintenanceTask, from cursor: String?
    ) async throws -> SQLMaintenanceStep {
        SQLMaintenanceStep()
    }

    /// For databases that are backed up by their own tools.
    public func copy(to path: String) async throws {
        throw LinajeError(
            .failedPrecondition,
            "a \(descriptor.name) database is not copied by linaje; back it up with its own tools")
    }

    /// 0: not counted.
    public var changes: UInt64 { 0 }
}

/// A connection inside a closure of `SQLBackend`; not valid outside it.
public protocol SQLConnection {
    /// How the database's SQL differs.
    var dialect: SQLDialect { get }

    /// Runs a statement that returns no rows and says how many rows it changed.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Runs a query and hands each row to `row`, which may throw to stop it.
    func query(_ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void) throws
}

extension SQLConnection {
    /// Runs a statement without arguments.
    @discardableResult
    public func execute(_ sql: String) throws -> Int { try execute(sql, []) }

    /// All rows of a query, each as `transform` makes it.
    public func all<Value>(
        _ sql: String, _ arguments: [SQLValue] = [], _ transform: (any SQLRow) throws -> Value
    ) throws -> [Value] {
        var out: [Value] = []
        try query(sql, arguments) { out.append(try transform($0)) }
        return out
    }

    /// The first row of a query, as `transform` makes it.
    public func first<Value>(
        _ sql: String, _ arguments: [SQLValue] = [], _ transform: (any SQLRow) throws -> Value
    ) throws -> Value? {
        var out: Value?
        try query(sql, arguments) { if out == nil { out = try transform($0) } }
        return out
    }
}

/// One row of a query, valid only while the closure that gets it runs.
public protocol SQLRow {
    /// The value of column `index`, from 0.
    subscript(index: Int) -> SQLValue { get }

    /// Whether column `index` holds `value`; databases that can tell without a copy do.
    func holds(_ index: Int, _ value: SQLValue) -> Bool

    // What follows has an answer made from the subscript. Databases that can read a value of a known
    // type without an `SQLValue` in between do: long lists spend their time here.

    /// A whole number. - Throws: `corrupt` when the column holds something else.
    func int(_ index: Int) throws -> Int64
    /// A number; whole numbers count. - Throws: `corrupt` when the column holds something else.
    func double(_ index: Int) throws -> Double
    /// A text. - Throws: `corrupt` when the column holds something else.
    func text(_ index: Int) throws -> String
    /// Whether the column is NULL.
    func isNull(_ index: Int) -> Bool
    /// Lends the UTF-8 of a text. - Throws: `corrupt` when the column holds something else.
    func readText(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
    /// Lends bytes. - Throws: `corrupt` when the column holds something else.
    func readBlob(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
}

extension SQLRow {
    public func holds(_ index: Int, _ value: SQLValue) -> Bool { self[index] == value }

    public func int(_ index: Int) throws -> Int64 {
        guard case .integer(let value) = self[index] else { throw wrongType(index, "a number") }
        return value
    }

    public func double(_ index: Int) throws -> Double {
        switch self[index] {
        case .real(let value): return value
        case .integer(let value): return Double(value)
        default: throw wrongType(index, "a number")
        }
    }

    public func text(_ index: Int) throws -> String {
        guard case .text(let value) = self[index] else { throw wrongType(index, "text") }
        return value
    }

    /// Bytes. - Throws: `corrupt` when the column holds something else.
    public func blob(_ index: Int) throws -> [UInt8] {
        guard case .blob(let value) = self[index] else { throw wrongType(index, "bytes") }
        return value
    }

    public func isNull(_ index: Int) -> Bool { self[index] == .null }

    public func readText(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var text = try text(index)
        try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }

    public func readBlob(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try blob(index).withUnsafeBytes(body)
    }

    /// The error of a column that holds something else than `expected`.
    public func wrongType(_ index: Int, _ expected: String) -> LinajeError {
        LinajeError(.corrupt, "database column \(index) does not hold \(expected)")
    }
}

/// A value of a column or an argument.
public enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// NULL for `nil`.
    public static func optional(_ value: Int64?) -> SQLValue { value.map(integer) ?? .null }
    /// NULL for `nil`.
    public static func optional(_ value: String?) -> SQLValue { value.map(text) ?? .null }
    /// NULL for `nil`.
    public static func optional(_ value: [UInt8]?) -> SQLValue { value.map(blob) ?? .null }
    /// 0 or 1.
    public static func bool(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
}

/// How a database's SQL differs from the portable part.
public struct SQLDialect: Sendable, Hashable {
    /// How the database matches texts with patterns of "%" and "_", without an escape.
    public enum Patterns: Sendable, Hashable {
        /// GLOB minds case and has wildcards of its own; LIKE ignores the case of A to Z.
        case glob
        /// LIKE minds case, ILIKE does not; an empty ESCAPE turns the backslash off.
        case ilike
    }

    /// The type of a column of bytes: BLOB, BYTEA.
    public var blob: String
    /// The type of a whole number that the database counts up as primary key.
    public var identity: String
    /// What follows the columns of a table whose rows are to lie in the order of its primary key.
    public var clustered: String
    /// What makes a text compare by its bytes.
    public var bytewise: String
    /// Lower-case hexadecimal of a column of bytes; "{}" stands for the column.
    public var hexadecimal: String
    public var patterns: Patterns
    /// What before a query asks for its plan, and the column of the answer that says it.
    public var explain: String
    public var explainColumn: Int

    public init(
        blob: String, identity: String, clustered: String, bytewise: String, hexadecimal: String,
        patterns: Patterns, explain: String, explainColumn: Int
    ) {
        self.blob = blob
        self.identity = identity
        self.clustered = clustered
        self.bytewise = bytewise
        self.hexadecimal = hexadecimal
        self.patterns = patterns
        self.explain = explain
        self.explainColumn = explainColumn
    }

    public static let sqlite = SQLDialect(
        blob: "BLOB", identity: "INTEGER PRIMARY KEY AUTOINCREMENT", clustered: " WITHOUT ROWID",
        bytewise: "", hexadecimal: "lower(hex({}))", patterns: .glob,
        explain: "EXPLAIN QUERY PLAN ", explainColumn: 3)
}
