import CStorageCalls
import LinajeDomain

/// Puts a database that was made anew in the place of a damaged one, so that a kill at any moment
/// leaves either the old one or the new one.
///
/// ```
/// catalog.db.salvage     being filled; worth nothing until it is complete
/// catalog.db.recovered   complete and synced: from here on it is the database
/// ```
/// The log of the old database would be taken for the new one's, so it goes before the new file
/// takes the name. Between the two nothing may open the database: a daemon refuses to, and
/// `linajed --recover` begins by finishing the exchange.
enum RecoveredDatabase {
    static let unfinishedSuffix = ".salvage"
    static let finishedSuffix = ".recovered"

    /// Where the new database is filled.
    static func unfinished(_ path: String) -> String { path + unfinishedSuffix }

    /// Declares the new database complete, then finishes the exchange.
    static func exchange(_ path: String) throws {
        let folder = FileFacts.folder(of: path)
        try FileFacts.sync(path + unfinishedSuffix)
        try rename(path + unfinishedSuffix, to: path + finishedSuffix)
        try FileFacts.syncFolder(folder)
        try finish(path)
    }

    /// Finishes an exchange that was begun; says whether there was one.
    @discardableResult
    static func finish(_ path: String) throws -> Bool {
        guard FileFacts.exists(path + finishedSuffix) else { return false }
        for suffix in ["-wal", "-shm"] { storage_unlink(path + suffix) }
        let folder = FileFacts.folder(of: path)
        try FileFacts.syncFolder(folder)
        try rename(path + finishedSuffix, to: path)
        try FileFacts.syncFolder(folder)
        return true
    }

    /// Removes what an attempt left that did not come to its end; says whether there was any.
    @discardableResult
    static func removeUnfinished(_ path: String) -> Bool {
        var wasThere = false
        for suffix in ["", "-wal", "-shm", "-journal"]
        where storage_unlink(path + unfinishedSuffix + suffix) == 0 {
            wasThere = true
        }
        return wasThere
    }

    private static func rename(_ old: String, to new: String) throws {
        guard storage_rename(old, new) == 0 else {
            throw FileFacts.failure("rename to \(new)", old)
        }
    }
}
