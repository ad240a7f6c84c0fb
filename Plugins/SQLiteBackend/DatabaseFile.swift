import CSQLiteCalls
import CStorageCalls
import Dispatch
import Glibc
import LinajeDomain

/// The file a database lives in.
enum DatabaseFile {
    /// Where databases are closed, which blocks.
    static let closingQueue = DispatchQueue(label: "linaje.sqlite.close")

    /// Makes the file with mode 0600, or sets that mode, before SQLite opens it: SQLite gives the
    /// log beside it the same mode.
    ///
    /// - Throws: `readOnly` or `storageFull`, naming the path.
    static func prepare(_ path: String) throws {
        sqlite_calls_prepare()
        let descriptor = storage_open(
            path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor >= 0 {
            _ = storage_close(descriptor)
        } else if errno != EEXIST {
            throw failure(path, errno)
        } else if storage_chmod(path, 0o600) != 0 {
            // Somebody else's file, which only its mode protects.
            throw failure(path, errno)
        }
    }

    private static func failure(_ path: String, _ number: Int32) -> LinajeError {
        let reason = String(cString: strerror(number))
        guard number != ENOSPC, number != EDQUOT else {
            return LinajeError(
                .storageFull, "no room for database \"\(path)\" (\(reason)); free space")
        }
        return LinajeError(
            .readOnly,
            "database \"\(path)\" cannot be made or opened (\(reason)); check the folder, its "
                + "owner and its mode")
    }
}
