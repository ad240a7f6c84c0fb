import GRDB
import GRDBSQLite
import LinajeDomain
import LinajePluginKit

extension WriterState {
    /// Most pages that one turn of `vacuum` moves: 1 MiB, about as long as a commit takes.
    static let vacuumPages = 256
    /// Rows of each index that `analyze` looks at, so that a table of any size takes as long.
    static let analysisRows = 400

    /// Does one part of a task; see `SQLBackend.maintain`. Runs on the writer's queue.
    func maintain(
        _ database: Database, _ task: MaintenanceTask, from cursor: String?
    ) throws -> SQLMaintenanceStep {
        if let failure { throw failure }
        let connection = try SQLiteConnection(database, path: path, failed: { self.fail($0) })
        switch task {
        // Of the points, which only the metric engine knows.
        case .compact: return SQLMaintenanceStep()
        case .vacuum: return try vacuum(database, connection, isFirst: cursor == nil)
        case .analyze: return try analyze(database, connection, after: cursor ?? "")
        case .checkpoint:
            return try emptyLog(database, isFirst: cursor == nil)
        }
    }

    /// Gives back at most `vacuumPages` free pages.
    private func vacuum(
        _ database: Database, _ connection: SQLiteConnection, isFirst: Bool
    ) throws -> SQLMaintenanceStep {
        func number(_ pragma: String) throws -> Int64 {
            try connection.first("PRAGMA \(pragma)") { try $0.int(0) } ?? 0
        }
        let free = try number("freelist_count")
        guard free > 0 else {
            // The file itself shrinks when the log is moved into it.
            if !isFirst { try checkpointBriefly(database, SQLITE_CHECKPOINT_TRUNCATE) }
            return SQLMaintenanceStep()
        }
        guard try number("auto_vacuum") == 2 else {
            // A few pages are worth nobody's time.
            guard free >= Self.vacuumPages else { return SQLMaintenanceStep() }
            throw LinajeError(
                .failedPrecondition,
                "database \"\(path)\" was made before it could be shrunk in steps; stop the daemon "
                    + "and run linajed --recover --vacuum once",
                details: ["free_pages": String(free)])
        }
        let pageSize = try number("page_size")
        try transaction(database) { connection in
            // One row for each page: it stops early when the rows are not read.
            try connection.query("PRAGMA incremental_vacuum(\(Self.vacuumPages))", []) { _ in }
        }
        let left = try number("freelist_count")
        let done = max(0, free - left)
        return SQLMaintenanceStep(
            done: UInt64(clamping: done), left: UInt64(clamping: left),
            freedBytes: UInt64(clamping: done * pageSize),
            // Without progress nobody would come to an end.
            next: done > 0 ? "more" : nil)
    }

    /// Analyzes one table, the first after `table` in the order of names.
    private func analyze(
        _ database: Database, _ connection: SQLiteConnection, after table: String
    ) throws -> SQLMaintenanceStep {
        let tables = try connection.all(
            """
            SELECT name FROM sqlite_schema
            WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name > ?
            ORDER BY name
            """, [.text(table)]
        ) { try $0.text(0) }
        guard let next = tables.first else { return SQLMaintenanceStep() }
        try connection.query("PRAGMA analysis_limit=\(Self.analysisRows)", []) { _ in }
        try transaction(database) { connection in
            let quoted = next.replacing("\"", with: "\"\"")
            try connection.execute("ANALYZE \"\(quoted)\"")
        }
        return SQLMaintenanceStep(
            done: 1, left: UInt64(tables.count - 1), next: tables.count > 1 ? next : nil)
    }

    /// Moves the log into the file without waiting for anybody, then empties it.
    private func emptyLog(_ database: Database, isFirst: Bool) throws -> SQLMaintenanceStep {
        let result =
            isFirst
            ? try checkpoint(database, SQLITE_CHECKPOINT_PASSIVE)
            : try checkpointBriefly(database, SQLITE_CHECKPOINT_TRUNCATE)
        return SQLMaintenanceStep(
            done: UInt64(clamping: isFirst ? result.moved : 0), left: UInt64(clamping: result.left),
            next: isFirst ? "empty" : nil)
    }
}
