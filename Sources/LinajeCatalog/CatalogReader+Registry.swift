package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A registered model with its tags, aliases and the highest version of each stage.
    ///
    /// Names are compared byte for byte.
    /// - Throws: `notFound`.
    package func registeredModel(_ name: String) throws -> RegisteredModel {
        let found = try registeredModels(where: "name = ?", [.text(name)])
        guard let model = found.first?.value else { throw Self.noModel(name) }
        return model
    }

    /// A page of registered models, by name unless another order is asked for.
    package func registeredModels(_ query: RegisteredModelQuery) throws -> Paged<RegisteredModel> {
        let search = try Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let models = try registeredModels(where: "id IN (\(placeholders(ids.count)))", ids)
        return try paged(found, search, models) { model in
            model.latestVersions.reduce(
                weight(of: model.tags) + model.description.utf8.count + 256
            ) { $0 + weight(of: $1) }
        }
    }

    /// What a models:/ URI points at now.
    ///
    /// A stage stands for the highest version in it, latest for the highest version there is.
    /// - Throws: `notFound` saying which part is missing.
    package func resolve(_ uri: ModelURI) throws -> ResolvedModel {
        switch uri {
        case .loggedModel(let id): return .loggedModel(try loggedModel(id))
        case .version(let name, let version):
            return .version(try modelVersion(name, version))
        case .latest(let name):
            return .version(
                try highest(
                    of: name, "", [], missing: "registered model \"\(name)\" has no version"))
        case .stage(let name, let stage):
            return .version(
                try highest(
                    of: name, "AND stage = ?", [.text(stage.rawValue)],
                    missing: "registered model \"\(name)\" has no version in stage "
                        + "\(stage.rawValue)"))
        case .alias(let name, let alias):
            let model = try modelID(name)
            guard let version = try aliasTarget(model, alias) else {
                throw LinajeError(
                    .notFound,
                    "registered model \"\(name)\" has no alias \"\(alias)\"; set it or use "
                        + "another")
            }
            return .version(try modelVersion(name, version))
        }
    }

    static func noModel(_ name: String) -> LinajeError {
        LinajeError(
            .notFound,
            "registered model \"\(name.prefix(Limits.nameBytes))\" does not exist; check its name",
            details: ["model": String(name.prefix(Limits.nameBytes))])
    }

    /// The internal id of a registered model.
    ///
    /// - Throws: `notFound`.
    func modelID(_ name: String) throws -> Int64 {
        guard let id = try modelIDIfThere(name) else { throw Self.noModel(name) }
        return id
    }

    func modelIDIfThere(_ name: String) throws -> Int64? {
        try connection.first(
            "SELECT id FROM registered_models WHERE name = ?", [.text(name)]
        ) { try $0.int(0) }
    }

    /// The version an alias points at, or `nil`.
    func aliasTarget(_ model: Int64, _ alias: String) throws -> UInt64? {
        try connection.first(
            "SELECT version FROM model_aliases WHERE model_id = ? AND alias = ?",
            [.integer(model), .text(alias)]
        ) { try $0.count(0) }
    }

    private func highest(
        of name: String, _ condition: String, _ arguments: [SQLValue], missing: String
    ) throws -> ModelVersion {
        let version = try connection.first(
            """
            SELECT version FROM model_versions
            WHERE model_id = ? \(condition) ORDER BY version DESC LIMIT 1
            """, [.integer(try modelID(name))] + arguments
        ) { try $0.count(0) }
        guard let version else {
            throw LinajeError(.notFound, "\(missing); register or move one, or use another URI")
        }
        return try modelVersion(name, version)
    }

    /// Registered models by their internal ids.
    private func registeredModels(
        where condition: String, _ arguments: [SQLValue]
    ) throws -> [SQLValue: RegisteredModel] {
        var ids: [SQLValue] = []
        var found = try connection.all(
            """
            SELECT id, name, description, created_at_us, updated_at_us
            FROM registered_models WHERE \(condition)
            """, arguments
        ) { row in
            ids.append(.integer(try row.int(0)))
            return RegisteredModel(
                name: try row.text(1), description: try row.text(2), createdAt: try row.time(3),
                updatedAt: try row.time(4))
        }
        let tags = try tags(.registeredModels, of: ids)
        let aliases = try aliases(of: ids)
        let latest = try latestVersions(of: ids)
        let policies = try ownPolicies(of: ids)
        for index in found.indices {
            found[index].scanPolicy = policies[ids[index]] ?? ScanPolicy()
            found[index].effectivePolicy = found[index].scanPolicy.over(scanPolicy)
            found[index].tags = tags[ids[index]] ?? []
            found[index].aliases = aliases[ids[index]] ?? [:]
            found[index].latestVersions = latest[ids[index]] ?? []
        }
        return Dictionary(zip(ids, found)) { first, _ in first }
    }

    private func aliases(of models: [SQLValue]) throws -> [SQLValue: [String: UInt64]] {
        guard !models.isEmpty else { return [:] }
        var out: [SQLValue: [String: UInt64]] = [:]
        try connection.query(
            """
            SELECT model_id, alias, version FROM model_aliases
            WHERE model_id IN (\(placeholders(models.count)))
            """, models
        ) { row in
            out[row[0], default: [:]][try row.text(1)] = try row.count(2)
        }
        return out
    }
}
