import GRDBSQLite
import LinajeDomain
import LinajePluginKit

/// A prepared statement of a connection, run with arguments.
///
/// Long values are bound, and all are read, without a copy in between.
struct SQLiteStatement {
    let pointer: OpaquePointer
    let handle: OpaquePointer
    let path: String
    let sql: String
    /// Told of every error, even if a closure catches it.
    let failed: (LinajeError) -> Void

    /// Runs it to its end and hands each row's statement to `row`; resets it afterwards.
    func run(_ arguments: [SQLValue], row: (OpaquePointer) throws -> Void) throws {
        guard Int(sqlite3_bind_parameter_count(pointer)) == arguments.count else {
            throw LinajeError(
                .internalError,
                "statement on database \"\(path)\" has \(arguments.count) arguments for "
                    + "\(sqlite3_bind_parameter_count(pointer)) places: \(sql)")
        }
        defer {
            sqlite3_reset(pointer)
            if !arguments.isEmpty { sqlite3_clear_bindings(pointer) }
        }
        try bind(arguments, from: 0, to: pointer) {
            while true {
                let code = sqlite3_step(pointer)
                if code == SQLITE_DONE { return }
                guard code == SQLITE_ROW else { throw failure(code, sql) }
                try row(pointer)
            }
        }
    }

    /// Bytes up to which SQLite is given a copy: a page of a list names a thousand ids.
    private static let copiedBytes = 256

    /// Binds the arguments from `index` on, then runs `body`; long bytes are lent for that time.
    private func bind(
        _ arguments: [SQLValue], from index: Int, to statement: OpaquePointer,
        _ body: () throws -> Void
    ) throws {
        for index in index..<arguments.count {
            let place = Int32(index + 1)
            let code: Int32
            switch arguments[index] {
            case .null: code = sqlite3_bind_null(statement, place)
            case .integer(let value): code = sqlite3_bind_int64(statement, place, value)
            case .real(let value): code = sqlite3_bind_double(statement, place, value)
            case .text(var text):
                code = text.withUTF8 { bytes in
                    bytes.withMemoryRebound(to: CChar.self) {
                        // A null pointer would bind NULL.
                        $0.count == 0
                            ? sqlite3_bind_text(statement, place, "", 0, Self.transient)
                            : sqlite3_bind_text64(
                                statement, place, $0.baseAddress, UInt64($0.count),
                                Self.transient, UInt8(SQLITE_UTF8))
                    }
                }
            case .blob(let bytes) where bytes.isEmpty:
                code = sqlite3_bind_zeroblob(statement, place, 0)
            case .blob(let bytes) where bytes.count <= Self.copiedBytes:
                code = bytes.withUnsafeBytes { buffer in
                    sqlite3_bind_blob64(
                        statement, place, buffer.baseAddress, UInt64(buffer.count),
                        Self.transient)
                }
            case .blob(let bytes):
                return try bytes.withUnsafeBytes { buffer in
                    let code = sqlite3_bind_blob64(
                        statement, place, buffer.baseAddress, UInt64(buffer.count), nil)
                    guard code == SQLITE_OK else { throw failure(code, "bind") }
                    try bind(arguments, from: index + 1, to: statement, body)
                }
            }
            guard code == SQLITE_OK else { throw failure(code, "bind") }
        }
        try body()
    }

    private func failure(_ code: Int32, _ sql: String) -> LinajeError {
        let error = SQLiteFailure.error(of: handle, code: code, path: path, doing: sql)
        failed(error)
        return error
    }

    /// Makes SQLite copy a text before the call returns.
    private static var transient: sqlite3_destructor_type? {
        unsafeBitCast(-1, to: sqlite3_destructor_type?.self)
    }
}
