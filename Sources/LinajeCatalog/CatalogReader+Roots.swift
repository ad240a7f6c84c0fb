package import LinajeDomain
import LinajePluginKit

/// What of the catalog needs content: the tables with the column of the digest.
///
/// A run that is marked as deleted can be restored, so it needs its content like any other.
private enum NeededContent: String, CaseIterable {
    case mounts = "run_mounts"
    case versions = "model_versions"
    case loggedModels = "logged_models"
    case datasets = "dataset_digests"
    case holds = "artifact_holds"
    case leases = "artifact_leases"

    var column: String { self == .datasets ? "value" : "tree" }

    /// What else must be so of a row.
    var condition: String {
        switch self {
        case .datasets: " AND algorithm = 'sha256'"
        case .leases: " AND ends_at_us > ?"
        default: ""
        }
    }

    func arguments(_ now: Timestamp) -> [SQLValue] { self == .leases ? [.time(now)] : [] }
}

extension CatalogReader {
    /// Digests of trees and files that something needs, in their order, after one of them.
    ///
    /// - Parameter now: leases that are over by then need nothing.
    /// - Returns: with each, whether it must be stored here; the files of a data set need not be.
    package func neededContent(
        after last: SHA256Digest?, limit: Int, now: Timestamp
    ) throws -> [(digest: SHA256Digest, isOurs: Bool)] {
        var found: [SHA256Digest: Bool] = [:]
        for kind in NeededContent.allCases {
            let column = kind.column
            try connection.query(
                """
                SELECT DISTINCT \(column) FROM \(kind.rawValue)
                WHERE \(column) > ?\(kind.condition) ORDER BY \(column) LIMIT ?
                """,
                [.blob(last?.bytes ?? [])] + kind.arguments(now) + [.integer(Int64(limit))]
            ) { row in
                let digest = try row.requiredDigest(0)
                found[digest] = (found[digest] ?? false) || kind != .datasets
            }
        }
        return found.sorted { $0.key < $1.key }.prefix(limit)
            .map { (digest: $0.key, isOurs: $0.value) }
    }

    /// Whether something needs the tree or file.
    package func isContentNeeded(_ digest: SHA256Digest, now: Timestamp) throws -> Bool {
        try NeededContent.allCases.contains { kind in
            try connection.first(
                """
                SELECT 1 FROM \(kind.rawValue) WHERE \(kind.column) = ?\(kind.condition) LIMIT 1
                """, [.digest(digest)] + kind.arguments(now), { try $0.int(0) }) != nil
        }
    }

    /// What needs a tree, for people, at most so many of each kind: "run 0ab…, path model",
    /// "model version iris/3", "logged model m-…", "data set mnist", "hold: audit", "lease until …".
    package func reasons(for tree: SHA256Digest, now: Timestamp, limit: Int) throws -> [String] {
        let arguments: [SQLValue] = [.digest(tree), .integer(Int64(limit))]
        var out = try connection.all(
            """
            SELECT m.run_id, m.path, r.lifecycle FROM run_mounts m JOIN runs r ON r.id = m.run_id
            WHERE m.tree = ? LIMIT ?
            """, arguments
        ) { row in
            let id: RunID = try row.requiredID(0)
            let path = try row.text(1)
            let state: Lifecycle = try row.choice(2)
            return "run \(id)" + (path.isEmpty ? "" : ", path \(path)")
                + (state == .deleted ? " (deleted, can be restored)" : "")
        }
        out += try connection.all(
            """
            SELECT m.name, v.version FROM model_versions v
            JOIN registered_models m ON m.id = v.model_id WHERE v.tree = ? LIMIT ?
            """, arguments
        ) { "model version \(try $0.text(0))/\(try $0.int(1))" }
        out += try connection.all(
            "SELECT id FROM logged_models WHERE tree = ? LIMIT ?", arguments
        ) { row in
            let id: LoggedModelID = try row.requiredID(0)
            return "logged model \(id)"
        }
        out += try connection.all(
            """
            SELECT d.name, d.run_id FROM dataset_digests g JOIN run_datasets d ON d.id = g.dataset_id
            WHERE g.value = ? AND g.algorithm = 'sha256' LIMIT ?
            """, arguments
        ) { row in
            let id: RunID = try row.requiredID(1)
            return "data set \(try row.text(0)) of run \(id)"
        }
        if let hold = try hold(of: tree) { out.append("hold: \(hold.reason)") }
        out += try connection.all(
            "SELECT ends_at_us FROM artifact_leases WHERE tree = ? AND ends_at_us > ?",
            [.digest(tree), .time(now)]
        ) { "lease until \(try $0.time(0).text)" }
        return out
    }
}
