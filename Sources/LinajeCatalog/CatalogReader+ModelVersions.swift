package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A version of a registered model with all that is known of it.
    ///
    /// - Throws: `notFound` for the model or the version.
    package func modelVersion(_ name: String, _ version: UInt64) throws -> ModelVersion {
        let model = try modelID(name)
        let found = try versions(
            where: "v.model_id = ? AND v.version = ?",
            [.integer(model), .integer(Int64(clamping: version))], tensors: "v.tensors")
        guard let found = found.first else { throw Self.noVersion(name, version) }
        return found.version
    }

    /// A page of versions, the one registered last first unless another order is asked for; their
    /// descriptions are without tensors.
    package func modelVersions(_ query: ModelVersionQuery) throws -> Paged<ModelVersion> {
        let search = try Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let entries = try versions(where: "v.id IN (\(placeholders(ids.count)))", ids)
        let versions = Dictionary(
            entries.map { (SQLValue.integer($0.id), $0.version) }
        ) { first, _ in first }
        return try paged(found, search, versions) { weight(of: $0) }
    }

    static func noVersion(_ name: String, _ version: UInt64) -> LinajeError {
        LinajeError(
            .notFound,
            "version \(version) of registered model \"\(name)\" does not exist; check its number",
            details: ["model": name, "version": String(version)])
    }

    /// The internal id of a version, or `nil`.
    func versionID(model: Int64, version: UInt64) throws -> Int64? {
        guard let number = Int64(exactly: version) else { return nil }
        return try connection.first(
            "SELECT id FROM model_versions WHERE model_id = ? AND version = ?",
            [.integer(model), .integer(number)]
        ) { try $0.int(0) }
    }

    /// The internal id of the version that a URI points at now; `nil` when it is no models:/ URI or
    /// points at no version.
    func versionID(of uri: String) throws -> Int64? {
        guard let parsed = try? ModelURI(parsing: uri),
            case .version(let found)? = try target(parsed)
        else { return nil }
        guard let model = try modelIDIfThere(found.name) else { return nil }
        return try versionID(model: model, version: found.version)
    }

    /// What a URI points at, or `nil` for nothing.
    func target(_ uri: ModelURI) throws -> ResolvedModel? {
        do {
            return try resolve(uri)
        } catch let error as LinajeError where error.code == .notFound {
            return nil
        }
    }

    /// A version by its internal id, which outlives a renaming; `nil` when it was deleted.
    func modelVersion(id: Int64) throws -> ModelVersion? {
        try versions(where: "v.id = ?", [.integer(id)]).first?.version
    }

    /// For each model and stage the highest version, in the order of the stages.
    func latestVersions(of models: [SQLValue]) throws -> [SQLValue: [ModelVersion]] {
        guard !models.isEmpty else { return [:] }
        var out: [SQLValue: [ModelVersion]] = [:]
        let found = try versions(
            where: """
                v.model_id IN (\(placeholders(models.count))) AND
                v.version = (SELECT MAX(w.version) FROM model_versions w
                    WHERE w.model_id = v.model_id AND w.stage = v.stage)
                """, models)
        for stage in Stage.allCases {
            for entry in found where entry.version.stage == stage {
                out[.integer(entry.model), default: []].append(entry.version)
            }
        }
        return out
    }

    /// A version with the internal ids of itself and its model.
    private struct Entry {
        var id: Int64
        var model: Int64
        var version: ModelVersion
    }

    /// Versions in the order they were registered.
    private func versions(
        where condition: String, _ arguments: [SQLValue], tensors: String = "NULL"
    ) throws -> [Entry] {
        var found = try connection.all(
            """
            SELECT v.id, v.model_id, m.name, v.version, v.tree, v.size, v.source, v.run_id,
                v.logged_model_id, v.stage, v.description, v.created_at_us, v.updated_at_us,
                v.model, \(tensors), v.principal
            FROM model_versions v JOIN registered_models m ON m.id = v.model_id
            WHERE \(condition) ORDER BY v.id
            """, arguments
        ) { row in
            Entry(
                id: try row.int(0), model: try row.int(1),
                version: ModelVersion(
                    name: try row.text(2), version: try row.count(3),
                    tree: try row.requiredDigest(4), size: try row.count(5),
                    source: try row.text(6), runID: try row.id(7), loggedModelID: try row.id(8),
                    stage: try row.choice(9), description: try row.text(10),
                    createdAt: try row.time(11), updatedAt: try row.time(12),
                    model: try StoredModelDescription.decode(
                        model: try row.text(13),
                        tensors: row.isNull(14) ? nil : try row.text(14)),
                    principal: try row.text(15)))
        }
        let ids = found.map { SQLValue.integer($0.id) }
        let tags = try tags(.modelVersions, of: ids)
        let aliases = try aliases(ofVersions: ids)
        let acceptances = try acceptances(of: ids)
        let policies = try ownPolicies(of: found.map { .integer($0.model) })
        for index in found.indices {
            found[index].version.judge(
                by: (policies[.integer(found[index].model)] ?? ScanPolicy()).over(scanPolicy),
                acceptances[ids[index]])
            found[index].version.tags = tags[ids[index]] ?? []
            found[index].version.aliases = aliases[ids[index]] ?? []
        }
        return found
    }

    private func aliases(ofVersions ids: [SQLValue]) throws -> [SQLValue: [String]] {
        guard !ids.isEmpty else { return [:] }
        var out: [SQLValue: [String]] = [:]
        try connection.query(
            """
            SELECT v.id, a.alias
            FROM model_versions v
            JOIN model_aliases a ON a.model_id = v.model_id AND a.version = v.version
            WHERE v.id IN (\(placeholders(ids.count))) ORDER BY v.id, a.alias
            """, ids
        ) { row in
            out[row[0], default: []].append(try row.text(1))
        }
        return out
    }
}

/// Bytes of the texts of a version, roughly.
func weight(of version: ModelVersion) -> Int {
    weight(of: version.tags) + weight(of: version.model) + version.description.utf8.count
        + version.source.utf8.count + version.name.utf8.count
        + version.aliases.reduce(0) { $0 + $1.utf8.count }
}
