import GRDBSQLite
import LinajeDomain
import LinajePluginKit

/// The row a statement stands on.
struct SQLiteRow: SQLRow {
    let statement: OpaquePointer

    subscript(index: Int) -> SQLValue {
        let column = Int32(truncatingIfNeeded: index)
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT: return .text(text(of: column))
        case SQLITE_BLOB:
            guard let bytes = sqlite3_column_blob(statement, column) else { return .blob([]) }
            let count = Int(sqlite3_column_bytes(statement, column))
            return .blob([UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
        default: return .null
        }
    }

    func holds(_ index: Int, _ value: SQLValue) -> Bool {
        let column = Int32(truncatingIfNeeded: index)
        guard case .blob(let bytes) = value, !bytes.isEmpty else { return self[index] == value }
        guard sqlite3_column_type(statement, column) == SQLITE_BLOB,
            let found = sqlite3_column_blob(statement, column),
            Int(sqlite3_column_bytes(statement, column)) == bytes.count
        else { return false }
        return bytes.withUnsafeBytes { buffer in
            buffer.elementsEqual(UnsafeRawBufferPointer(start: found, count: buffer.count))
        }
    }

    func int(_ index: Int) throws -> Int64 {
        let column = Int32(truncatingIfNeeded: index)
        guard sqlite3_column_type(statement, column) == SQLITE_INTEGER else {
            throw wrongType(index, "a number")
        }
        return sqlite3_column_int64(statement, column)
    }

    func double(_ index: Int) throws -> Double {
        let column = Int32(truncatingIfNeeded: index)
        switch sqlite3_column_type(statement, column) {
        // A whole number is converted as Swift does it.
        case SQLITE_INTEGER: return Double(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return sqlite3_column_double(statement, column)
        default: throw wrongType(index, "a number")
        }
    }

    func text(_ index: Int) throws -> String {
        let column = Int32(truncatingIfNeeded: index)
        guard sqlite3_column_type(statement, column) == SQLITE_TEXT else {
            throw wrongType(index, "text")
        }
        return text(of: column)
    }

    func isNull(_ index: Int) -> Bool {
        sqlite3_column_type(statement, Int32(truncatingIfNeeded: index)) == SQLITE_NULL
    }

    func readText(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let column = Int32(truncatingIfNeeded: index)
        guard sqlite3_column_type(statement, column) == SQLITE_TEXT else {
            throw wrongType(index, "text")
        }
        let text = sqlite3_column_text(statement, column)
        let count = text == nil ? 0 : Int(sqlite3_column_bytes(statement, column))
        try body(UnsafeRawBufferPointer(start: text, count: count))
    }

    func readBlob(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let column = Int32(truncatingIfNeeded: index)
        guard sqlite3_column_type(statement, column) == SQLITE_BLOB else {
            throw wrongType(index, "bytes")
        }
        let bytes = sqlite3_column_blob(statement, column)
        let count = bytes == nil ? 0 : Int(sqlite3_column_bytes(statement, column))
        try body(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// A column that is known to be text.
    private func text(of column: Int32) -> String {
        guard let text = sqlite3_column_text(statement, column) else { return "" }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}
