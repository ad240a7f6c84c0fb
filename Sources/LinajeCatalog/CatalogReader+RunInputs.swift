import LinajeDomain
import LinajePluginKit

/// Whether a run used a model or made it.
enum LinkDirection: String {
    case input, output
}

/// A model link as it is stored.
struct StoredLink {
    var link: ModelLink
    /// The internal id of the version that the URI pointed at when the link was logged.
    var versionID: Int64?
}

extension CatalogReader {
    /// The data sets a run used, in the order they were logged.
    func datasets(of run: RunID) throws -> [DatasetInput] {
        var ids: [SQLValue] = []
        var found = try connection.all(
            """
            SELECT id, name, client_digest, source_type, source, schema_json, profile_json,
                context, dvc_pointer, size
            FROM run_datasets WHERE run_id = ? ORDER BY id
            """, [.id(run)]
        ) { row in
            ids.append(.integer(try row.int(0)))
            return DatasetInput(
                name: try row.text(1), clientDigest: try row.text(2), sourceType: try row.text(3),
                source: try row.text(4), schema: try row.text(5), profile: try row.text(6),
                context: try row.text(7), dvcPointer: try row.text(8), size: try row.count(9))
        }
        var digests: [SQLValue: [ContentDigest]] = [:]
        try connection.query(
            """
            SELECT g.dataset_id, g.algorithm, g.value
            FROM dataset_digests g JOIN run_datasets d ON d.id = g.dataset_id
            WHERE d.run_id = ? ORDER BY g.dataset_id, g.position
            """, [.id(run)]
        ) { row in
            digests[row[0], default: []].append(
                try ContentDigest(algorithm: try row.text(1), value: try row.blob(2)))
        }
        var tags: [SQLValue: [Tag]] = [:]
        try connection.query(
            """
            SELECT t.dataset_id, t.key, t.value
            FROM dataset_tags t JOIN run_datasets d ON d.id = t.dataset_id
            WHERE d.run_id = ? ORDER BY t.dataset_id, t.key
            """, [.id(run)]
        ) { row in
            tags[row[0], default: []].append(Tag(key: try row.text(1), value: try row.text(2)))
        }
        for index in found.indices {
            found[index].digests = digests[ids[index]] ?? []
            found[index].tags = tags[ids[index]] ?? []
        }
        return found
    }

    /// The models a run used or made, in the order they were logged.
    func links(of run: RunID, _ direction: LinkDirection) throws -> [StoredLink] {
        try connection.all(
            """
            SELECT logged_model_id, uri, step, role, version_id FROM run_models
            WHERE run_id = ? AND direction = ? ORDER BY position
            """, [.id(run), .text(direction.rawValue)]
        ) { row in
            StoredLink(
                link: ModelLink(
                    loggedModelID: try row.id(0), uri: try row.text(1), step: try row.int(2),
                    role: try row.text(3)),
                versionID: row.isNull(4) ? nil : try row.int(4))
        }
    }

    /// The run that says it made a logged model, or `nil`.
    func producer(of model: LoggedModelID) throws -> RunID? {
        try connection.first(
            """
            SELECT run_id FROM run_models WHERE logged_model_id = ? AND direction = 'output'
            ORDER BY run_id LIMIT 1
            """, [.id(model)]
        ) { try $0.requiredID(0) }
    }
}
