import GRDB
import GRDBSQLite
import Glibc
import LinajeDomain

/// Turns SQLite's errors into `LinajeError`.
enum SQLiteFailure {
    /// The error of a call that returned `code` on `handle`.
    static func error(
        of handle: OpaquePointer?, code: Int32, path: String, doing sql: String
    ) -> LinajeError {
        error(
            code: handle.map { sqlite3_extended_errcode($0) } ?? code,
            message: handle.map { String(cString: sqlite3_errmsg($0)) } ?? "closed",
            system: handle.map { sqlite3_system_errno($0) } ?? 0, path: path, doing: sql)
    }

    /// An error thrown by GRDB, or any other, which stays as it is.
    static func mapped(_ error: any Error, path: String, system: Int32 = 0) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        return self.error(
            code: error.extendedResultCode.rawValue, message: error.message ?? "", system: system,
            path: path, doing: error.sql ?? "open")
    }

    /// - Parameters:
    ///   - code: SQLite's extended result code (https://www.sqlite.org/rescode.html).
    ///   - system: the errno of the failed system call, 0 for none.
    static func error(
        code: Int32, message: String, system: Int32, path: String, doing sql: String
    ) -> LinajeError {
        let reason = system == 0 ? message : "\(message), \(String(cString: strerror(system)))"
        let subject = "database \"\(path)\""
        let details = ["sqlite": String(code), "statement": String(sql.prefix(200))]
        func error(_ code: LinajeError.Code, _ text: String) -> LinajeError {
            LinajeError(code, "\(subject) \(text)", details: details)
        }
        switch code & 0xff {
        case SQLITE_FULL: return error(.storageFull, "has no room (\(reason)); free space")
        case SQLITE_IOERR where isOutOfSpace(code, system),
            SQLITE_CANTOPEN where isOutOfSpace(code, system):
            return error(.storageFull, "has no room (\(reason)); free space")
        case SQLITE_IOERR:
            return error(
                .storageFailed,
                "cannot be written or read (\(reason)); look at the disk, then restart")
        case SQLITE_CANTOPEN where system == EMFILE || system == ENFILE:
            return error(
                .unavailable, "cannot be opened (\(reason)); raise the limit of open files")
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM:
            return error(.readOnly, "cannot be written (\(reason)); check its owner and mode")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return error(.corrupt, "is damaged (\(reason)); restore it from a copy")
        case SQLITE_CONSTRAINT where uniqueCodes.contains(code):
            return error(.conflict, "has such a row already (\(reason))")
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM:
            return error(.unavailable, "is busy (\(reason)); try again")
        case SQLITE_TOOBIG: return error(.limitExceeded, "refuses a value that is too long")
        default: return error(.internalError, "refused a statement (\(reason))")
        }
    }

    /// Whether the disk is full: not every full disk is SQLITE_FULL. A failed fsync never is, as
    /// nobody knows what it lost.
    private static func isOutOfSpace(_ code: Int32, _ system: Int32) -> Bool {
        (system == ENOSPC || system == EDQUOT) && !syncCodes.contains(code)
    }

    /// SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC.
    private static let syncCodes: Set<Int32> = [
        SQLITE_IOERR | 4 << 8, SQLITE_IOERR | 5 << 8,
    ]

    /// SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID.
    private static let uniqueCodes: Set<Int32> = [
        SQLITE_CONSTRAINT | 6 << 8, SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 10 << 8,
    ]
}
