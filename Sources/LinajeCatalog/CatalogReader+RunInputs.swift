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
        try datasets(where: "d.run_id = ?", [.id(run)]).map(\.found.dataset)
    }

    /// Data sets with their internal ids and their runs, in the order they were logged.
    func datasets(
        where condition: String, _ arguments: [SQLValue]
    ) throws -> [(id: SQLValue, found: FoundDataset)] {
        var digests: [SQLValue: [ContentDigest]] = [:]
        try connection.query(
            """
            SELECT g.dataset_id, g.algorithm, g.value
            FROM run_datasets d JOIN dataset_digests g ON g.dataset_id = d.id
            WHERE \(condition) ORDER BY g.dataset_id, g.position
            """, arguments
        ) { row in
            digests[row[0], default: []].append(
                try ContentDigest(algorithm: try row.text(1), value: try row.blob(2)))
        }
        var tags: [SQLValue: [Tag]] = [:]
        try connection.query(
            """
            SELECT t.dataset_id, t.key, t.value
            FROM run_datasets d JOIN dataset_tags t ON t.dataset_id = d.id
            WHERE \(condition) ORDER BY t.dataset_id, t.key
            """, arguments
        ) { row in
            tags[row[0], default: []].append(Tag(key: try row.text(1), value: try row.text(2)))
        }
        return try connection.all(
            """
            SELECT d.id, d.run_id, d.name, d.client_digest, d.source_type, d.source,
                d.schema_json, d.profile_json, d.context, d.dvc_pointer, d.size
            FROM run_datasets d WHERE \(condition) ORDER BY d.id
            """, arguments
        ) { row in
            let dataset = DatasetInput(
                name: try row.text(2), digests: digests[row[0]] ?? [],
                clientDigest: try row.text(3), sourceType: try row.text(4),
                source: try row.text(5), schema: try row.text(6), profile: try row.text(7),
                context: try row.text(8), dvcPointer: try row.text(9), size: try row.count(10),
                tags: tags[row[0]] ?? [])
            return (row[0], FoundDataset(runID: try row.requiredID(1), dataset: dataset))
        }
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
