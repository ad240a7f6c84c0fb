package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A logged model with all that is known of it.
    ///
    /// - Throws: `notFound`.
    package func loggedModel(_ id: LoggedModelID) throws -> LoggedModel {
        guard let found = try loggedModelIfThere(id) else {
            throw LinajeError(.notFound, "logged model \(id) does not exist; check its id")
        }
        return found
    }

    /// A page of logged models, newest first unless another order is asked for; their descriptions
    /// are without tensors.
    package func loggedModels(_ query: LoggedModelQuery) throws -> Paged<LoggedModel> {
        let search = try Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let models = try loggedModels(
            where: "id IN (\(placeholders(ids.count)))", ids, tensors: "NULL")
        return try paged(found, search, Self.table(models) { .id($0.id) }) {
            weight(of: $0.tags) + weight(of: $0.params) + weight(of: $0.model)
        }
    }

    func loggedModelIfThere(_ id: LoggedModelID) throws -> LoggedModel? {
        try loggedModels(where: "id = ?", [.id(id)], tensors: "tensors").first
    }

    private func loggedModels(
        where condition: String, _ arguments: [SQLValue], tensors: String
    ) throws -> [LoggedModel] {
        var found = try connection.all(
            """
            SELECT id, experiment_id, run_id, name, status, status_message, model_type, tree,
                size, step, created_at_us, updated_at_us, model, \(tensors)
            FROM logged_models WHERE \(condition)
            """, arguments
        ) { row in
            LoggedModel(
                id: try row.requiredID(0), experimentID: try row.int(1), runID: try row.id(2),
                name: try row.text(3), status: try row.choice(4), statusMessage: try row.text(5),
                modelType: try row.text(6), tree: try row.digest(7), size: try row.count(8),
                step: try row.int(9), createdAt: try row.time(10), updatedAt: try row.time(11),
                model: try StoredModelDescription.decode(
                    model: try row.text(12), tensors: row.isNull(13) ? nil : try row.text(13)))
        }
        let ids = found.map { SQLValue.id($0.id) }
        let tags = try tags(.loggedModels, of: ids)
        let params = try params(.loggedModels, of: ids)
        let registrations = try registrations(of: ids)
        for index in found.indices {
            found[index].tags = tags[ids[index]] ?? []
            found[index].params = params[ids[index]] ?? []
            found[index].registrations = registrations[ids[index]] ?? []
        }
        return found
    }

    /// The versions that were registered from logged models, oldest first.
    private func registrations(of ids: [SQLValue]) throws -> [SQLValue: [VersionName]] {
        guard !ids.isEmpty else { return [:] }
        var out: [SQLValue: [VersionName]] = [:]
        try connection.query(
            """
            SELECT v.logged_model_id, m.name, v.version
            FROM model_versions v JOIN registered_models m ON m.id = v.model_id
            WHERE v.logged_model_id IN (\(placeholders(ids.count))) ORDER BY v.id
            """, ids
        ) { row in
            out[row[0], default: []].append(
                VersionName(name: try row.text(1), version: try row.count(2)))
        }
        return out
    }
}

/// Bytes of the texts of a description, roughly.
func weight(of model: ModelDescription) -> Int {
    let flavors = model.flavors.reduce(0) { sum, flavor in
        flavor.facts.reduce(sum + flavor.name.utf8.count + flavor.version.utf8.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
    }
    let lines = model.requirements.reduce(0) { $0 + $1.utf8.count }
    let findings = model.findings.reduce(0) { $0 + $1.path.utf8.count + $1.message.utf8.count }
    let files = model.files.reduce(0) { $0 + $1.path.utf8.count + 20 }
    let card = model.card.reduce(model.license.utf8.count) {
        $0 + $1.key.utf8.count + $1.value.utf8.count
    }
    return flavors + lines + findings + files + card + model.signature.utf8.count + 256
}
