package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Creates a registered model. A name that was deleted may be used again; its versions begin
    /// at 1 again.
    ///
    /// - Throws: `alreadyExists` for a taken name.
    package func createRegisteredModel(
        name: String, description: String = "", tags: [Tag] = []
    ) throws -> RegisteredModel {
        try insertModel(name, description: description, tags: tags)
        return try reader.registeredModel(name)
    }

    /// Changes a registered model; what is `nil` stays. With a new name, its versions, aliases and
    /// tags follow, and what verdicts block for it: who may not change that may not rename it.
    ///
    /// - Throws: `notFound`; `alreadyExists` for a taken new name; `permissionDenied` for a new name of a
    ///   model with a policy of its own, unless by an approver.
    package func updateRegisteredModel(
        _ name: String, newName: String? = nil, description: String? = nil,
        tags: TagChanges = TagChanges()
    ) throws -> RegisteredModel {
        let id = try reader.modelID(name)
        var name = name
        if let newName, !newName.utf8.elementsEqual(name.utf8) {
            let newName = try Names.registeredModel(newName)
            guard try reader.modelIDIfThere(newName) == nil else { throw modelTaken(newName) }
            if try !reader.ownPolicies(of: [.integer(id)]).isEmpty {
                try principal.require(
                    .approver, for: "renaming \"\(name)\", which has a scan policy of its own,")
            }
            try connection.execute(
                "UPDATE registered_models SET name = ? WHERE id = ?",
                [.text(newName), .integer(id)])
            try record(.modelRename, model: name, facts: ["to": .string(newName)])
            name = newName
        }
        if let description {
            let description = try Names.text(description, of: "description")
            try connection.execute(
                "UPDATE registered_models SET description = ? WHERE id = ?",
                [.text(description), .integer(id)])
            try record(.modelUpdate, model: name, facts: ["description": .string(description)])
        }
        try record(
            .modelTag, try apply(tags, to: .registeredModels, of: .integer(id)), model: name)
        try touch(model: id)
        return try reader.registeredModel(name)
    }

    /// Deletes a registered model with its versions, aliases and tags. Its history stays.
    ///
    /// - Throws: `notFound`.
    package func deleteRegisteredModel(_ name: String) throws {
        let id = try reader.modelID(name)
        let versions = try connection.all(
            "SELECT version FROM model_versions WHERE model_id = ? ORDER BY version",
            [.integer(id)]
        ) { try $0.count(0) }
        for version in versions { try removeVersion(model: id, name: name, version) }
        try removeTags(.registeredModels, of: .integer(id))
        try connection.execute(
            "DELETE FROM retention_policies WHERE kind = 'model' AND subject = ?", [.integer(id)])
        try forgetPolicy(ofModel: id)
        try connection.execute("DELETE FROM registered_models WHERE id = ?", [.integer(id)])
        try record(.modelDelete, model: name)
    }

    /// Sets an alias, if it is what is expected: `nil`: whatever it is; 0: only if it does not exist;
    /// else only if it points at that version.
    ///
    /// An alias that points there already stays, and nothing is recorded.
    /// - Throws: `notFound` for the model or version; `conflict` naming the version it points at;
    ///   `failedPrecondition` for a version whose verdict blocks it.
    package func setAlias(
        _ name: String, _ alias: String, _ version: UInt64, expected: UInt64? = nil
    ) throws {
        let alias = try Names.alias(alias)
        let model = try reader.modelID(name)
        guard try reader.versionID(model: model, version: version) != nil else {
            throw CatalogReader.noVersion(name, version)
        }
        let current = try reader.aliasTarget(model, alias)
        if let expected, expected != current ?? 0 {
            let found = current.map { "points at version \($0)" } ?? "does not exist"
            let wanted = expected == 0 ? "none" : "version \(expected)"
            throw LinajeError(
                .conflict,
                "alias \"\(alias)\" of \"\(name)\" \(found), where \(wanted) was expected; read it "
                    + "again and decide",
                details: ["alias": alias, "version": String(current ?? 0)])
        }
        guard current != version else { return }
        try reader.require(.promotion, of: try reader.modelVersion(name, version))
        try connection.execute(
            """
            INSERT INTO model_aliases (model_id, alias, version) VALUES (?, ?, ?)
            ON CONFLICT (model_id, alias) DO UPDATE SET version = excluded.version
            """, [.integer(model), .text(alias), try .count(version, of: "version")])
        try touch(model: model)
        var facts: [String: CanonicalJSON.Value] = ["alias": .string(alias)]
        // 0 stands for no version, as in the request.
        facts["from"] = .int(Int64(clamping: current ?? 0))
        try record(.aliasSet, model: name, version: version, facts: facts)
    }

    /// Removes an alias; one that is not there is ignored.
    ///
    /// - Throws: `notFound` for the model.
    package func deleteAlias(_ name: String, _ alias: String) throws {
        let model = try reader.modelID(name)
        guard let version = try reader.aliasTarget(model, alias) else { return }
        try connection.execute(
            "DELETE FROM model_aliases WHERE model_id = ? AND alias = ?",
            [.integer(model), .text(alias)])
        try touch(model: model)
        try record(
            .aliasDelete, model: name, version: version, facts: ["alias": .string(alias)])
    }

    @discardableResult
    func insertModel(_ name: String, description: String = "", tags: [Tag] = []) throws -> Int64 {
        let name = try Names.registeredModel(name)
        guard try reader.modelIDIfThere(name) == nil else { throw modelTaken(name) }
        let description = try Names.text(description, of: "description")
        let id = try nextID(.registeredModels)
        try connection.execute(
            """
            INSERT INTO registered_models
                (id, name, description, created_at_us, updated_at_us, next_version)
            VALUES (?, ?, ?, ?, ?, 1)
            """, [.integer(id), .text(name), .text(description), .time(now), .time(now)])
        try record(
            .modelCreate, model: name,
            facts: description.isEmpty ? [:] : ["description": .string(description)])
        let differences = try apply(
            TagChanges(set: tags), to: .registeredModels, of: .integer(id))
        try record(.modelTag, differences, model: name)
        return id
    }

    /// Notes that a model or one of its versions changed.
    func touch(model: Int64) throws {
        try connection.execute(
            "UPDATE registered_models SET updated_at_us = ? WHERE id = ?",
            [.time(now), .integer(model)])
    }

    private func modelTaken(_ name: String) -> LinajeError {
        LinajeError(
            .alreadyExists,
            "registered model \"\(name)\" exists; choose another name or use it",
            details: ["model": name])
    }
}
