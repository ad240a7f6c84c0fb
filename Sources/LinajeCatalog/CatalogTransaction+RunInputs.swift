import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Adds data sets to a run; the same name, first digest and context again is accepted.
    func add(_ datasets: [DatasetInput], to run: RunID) throws {
        try checkCount(datasets.count, of: "data sets")
        for dataset in datasets {
            try check(dataset)
            let exists = try connection.first(
                """
                SELECT 1 FROM run_datasets
                WHERE run_id = ? AND name = ? AND identity = ? AND context = ?
                """,
                [
                    .id(run), .text(dataset.name), .text(dataset.identity),
                    .text(dataset.context),
                ]
            ) { try $0.int(0) }
            if exists == nil { try insert(dataset, into: run) }
        }
        guard !datasets.isEmpty else { return }
        try checkCharacters(
            """
            SELECT SUM(LENGTH(name) + LENGTH(client_digest) + LENGTH(source_type) + LENGTH(source)
                + LENGTH(schema_json) + LENGTH(profile_json) + LENGTH(dvc_pointer) + 50)
            FROM run_datasets WHERE run_id = ?
            """, .id(run), of: "data sets", limit: Limits.datasetCharacters)
    }

    /// Adds links to models to a run; the same link again is accepted.
    ///
    /// A URI that can point elsewhere tomorrow is looked up today, so that the lineage of the run
    /// stays what it was.
    func add(_ links: [ModelLink], to run: RunID, _ direction: LinkDirection) throws {
        guard !links.isEmpty else { return }
        try checkCount(links.count, of: "model links")
        let stored = try reader.links(of: run, direction).map(\.link)
        var known = Set(stored)
        var position = Int64(stored.count)
        for link in links where known.insert(link).inserted {
            try check(link)
            position += 1
            let version = try reader.versionID(of: link.uri)
            try connection.execute(
                """
                INSERT INTO run_models (run_id, direction, position, logged_model_id, version_id,
                    uri, step, role)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .id(run), .text(direction.rawValue), .integer(position),
                    .id(link.loggedModelID), .optional(version), .text(link.uri),
                    .integer(link.step), .text(link.role),
                ])
        }
    }

    private func insert(_ dataset: DatasetInput, into run: RunID) throws {
        let id = try nextID(.datasets)
        try connection.execute(
            """
            INSERT INTO run_datasets (id, run_id, name, identity, context, client_digest,
                source_type, source, schema_json, profile_json, dvc_pointer, size)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(id), .id(run), .text(dataset.name), .text(dataset.identity),
                .text(dataset.context), .text(dataset.clientDigest), .text(dataset.sourceType),
                .text(dataset.source), .text(dataset.schema), .text(dataset.profile),
                .text(dataset.dvcPointer), try .count(dataset.size, of: "size of the data set"),
            ])
        for (position, digest) in dataset.digests.enumerated() {
            try connection.execute(
                """
                INSERT INTO dataset_digests (dataset_id, position, algorithm, value)
                VALUES (?, ?, ?, ?)
                """,
                [
                    .integer(id), .integer(Int64(position)), .text(digest.algorithm),
                    .blob(digest.value),
                ])
        }
        try apply(TagChanges(set: dataset.tags), to: .datasets, of: .integer(id))
    }

    private func check(_ dataset: DatasetInput) throws {
        let name = try Names.name(dataset.name, of: "data set")
        try checkCount(dataset.digests.count, of: "digests of data set \"\(name)\"")
        _ = try Names.text(dataset.source, of: "source of data set \"\(name)\"")
        _ = try Names.text(dataset.dvcPointer, of: "dvc pointer of data set \"\(name)\"")
        for (noun, text) in [
            ("client digest", dataset.clientDigest), ("source type", dataset.sourceType),
            ("context", dataset.context),
        ] where text.utf8.count > Limits.nameBytes {
            throw tooLong("\(noun) of data set \"\(name)\"", text, Limits.nameBytes)
        }
        for (noun, text) in [("schema", dataset.schema), ("profile", dataset.profile)]
        where text.utf8.count > Limits.requestBytes {
            throw tooLong("\(noun) of data set \"\(name)\"", text, Limits.requestBytes)
        }
    }

    private func check(_ link: ModelLink) throws {
        guard link.loggedModelID != nil || !link.uri.isEmpty else {
            throw LinajeError(
                .invalidArgument, "model link names no model; give a logged model id or a uri")
        }
        _ = try Names.text(link.uri, of: "uri of a model link")
        guard link.role.utf8.count <= Limits.nameBytes else {
            throw tooLong("role of a model link", link.role, Limits.nameBytes)
        }
    }

    private func tooLong(_ noun: String, _ text: String, _ limit: Int) -> LinajeError {
        LinajeError(
            .limitExceeded,
            "\(noun) has \(text.utf8.count) bytes; at most \(limit) are allowed")
    }
}

extension DatasetInput {
    /// What tells two inputs of the same name and context apart.
    var identity: String {
        if let first = digests.first { return first.description }
        return clientDigest.isEmpty ? "" : "client:\(clientDigest)"
    }
}
