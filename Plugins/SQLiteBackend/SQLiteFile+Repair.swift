import LinajeDomain
import LinajePluginKit

extension SQLiteFile {
    /// Most problems that are listed: one is enough to act on.
    static let maximumProblems = 20

    /// What is wrong with the file's structure, or nothing (PRAGMA integrity_check). Reads all of it.
    public func problems() -> [String] {
        var found: [String] = []
        do {
            try query("PRAGMA integrity_check(\(Self.maximumProblems))", []) { row in
                let text = try row.text(0)
                if text != "ok" { found.append(text) }
            }
        } catch {
            found.append((error as? LinajeError)?.message ?? "\(error)")
        }
        return found
    }

    /// Makes all indexes anew from their tables.
    ///
    /// - Throws: when a table cannot be read, or does not fit the index.
    public func reindex() throws { try execute("REINDEX") }

    /// Rewrites the file without its free pages, so that `vacuum` can shrink it in steps later on.
    public func rewrite() throws {
        try query("PRAGMA auto_vacuum=INCREMENTAL", []) { _ in }
        try execute("VACUUM")
        try query("PRAGMA wal_checkpoint(TRUNCATE)", []) { _ in }
    }

    /// Whether `vacuum` can shrink the file in steps.
    public func canShrinkInSteps() throws -> Bool {
        try first("PRAGMA auto_vacuum") { try $0.int(0) } == 2
    }

    /// Moves the log into the file.
    public func takeInLog() throws {
        try query("PRAGMA wal_checkpoint(TRUNCATE)", []) { _ in }
    }

    /// Makes a file that is only being filled quick to write; it must be synced afterwards.
    public func writeWithoutSyncing() throws {
        try query("PRAGMA journal_mode=DELETE", []) { _ in }
        try query("PRAGMA journal_mode=OFF", []) { _ in }
        try query("PRAGMA synchronous=OFF", []) { _ in }
    }
}
