import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeRunLogs
import SQLiteBackend

/// Looks at a state directory before anything of it is opened for good, so that a start that must
/// be refused changes nothing.
enum StoreCheck {
    /// The database files, with the namespaces of migrations that this version knows in each.
    static let databases: [(name: String, known: [String: [SQLMigration]])] = [
        (
            "catalog.db",
            [
                CatalogSchema.namespace: CatalogSchema.migrations,
                ChunkIndex.namespace: ChunkIndex.migrations,
            ]
        ),
        (
            "metrics.db",
            [
                MetricSchema.namespace: MetricSchema.migrations,
                RunLogSchema.namespace: RunLogSchema.migrations,
            ]
        ),
    ]

    /// - Throws: `storeTooNew` naming what is newer and both versions, `failedPrecondition` for a
    ///   repair that was interrupted, `corrupt` for a database whose migrations cannot be read.
    static func requireKnown(_ directory: String) throws {
        let format = try StateFormat.read(directory)
        try format?.requireKnown(directory, version: Linajed.version)
        for database in databases {
            let path = "\(directory)/\(database.name)"
            guard !FileFacts.exists(path + RecoveredDatabase.finishedSuffix) else {
                throw LinajeError(
                    .failedPrecondition,
                    "a repair of \(path) was interrupted; run linajed --recover to finish it")
            }
            guard FileFacts.size(path) > 0 else { continue }
            try requireKnown(
                SQLiteFile(path, for: .look).migrations(), database.known, path: path)
        }
    }

    /// - Parameters:
    ///   - seen: the migrations that a database has seen, by namespace.
    ///   - known: those that this version knows.
    static func requireKnown(
        _ seen: [String: [String]], _ known: [String: [SQLMigration]], path: String
    ) throws {
        let format = try? StateFormat.read(FileFacts.folder(of: path))
        let version = Linajed.version
        let writer = format.map { ", last opened by linajed \($0.writer)" } ?? ""
        for (namespace, names) in seen.sorted(by: { $0.key < $1.key }) {
            guard let migrations = known[namespace] else {
                throw LinajeError(
                    .storeTooNew,
                    "database \"\(path)\"\(writer), holds \"\(namespace)\", which this linajed "
                        + "\(version) does not know; update linajed or restore an older copy")
            }
            do {
                try SQLMigrator(namespace, migrations).check(names)
            } catch var error as LinajeError {
                error.message =
                    "database \"\(path)\"\(writer), is too new for this linajed \(version): "
                    + error.message
                throw error
            }
        }
    }
}
