package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// Every tree that something of the catalog needs, with what needs it: "run 0ab…, path model",
    /// "model version iris/3", "logged model m-…".
    package func contents() throws -> [SHA256Digest: [String]] {
        var out: [SHA256Digest: [String]] = [:]
        try connection.query("SELECT tree, run_id, path FROM run_mounts", []) { row in
            let path = try row.text(2)
            let id: RunID = try row.requiredID(1)
            out[try row.requiredDigest(0), default: []]
                .append("run \(id)" + (path.isEmpty ? "" : ", path \(path)"))
        }
        try connection.query(
            """
            SELECT v.tree, m.name, v.version FROM model_versions v
            JOIN registered_models m ON m.id = v.model_id
            """, []
        ) { row in
            out[try row.requiredDigest(0), default: []]
                .append("model version \(try row.text(1))/\(try row.int(2))")
        }
        try connection.query("SELECT tree, id FROM logged_models WHERE tree IS NOT NULL", []) {
            let id: LoggedModelID = try $0.requiredID(1)
            out[try $0.requiredDigest(0), default: []].append("logged model \(id)")
        }
        try connection.query("SELECT tree FROM artifact_holds", []) {
            out[try $0.requiredDigest(0), default: []].append("hold")
        }
        return out
    }
}
