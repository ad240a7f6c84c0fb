package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Registers the next version of a model: 1, 2, 3, … without gaps, never the same number twice.
    ///
    /// The caller has made sure that the tree is there and whole.
    /// - Throws: `notFound` for the model (without `createModel`), the run or the logged model;
    ///   `failedPrecondition` for a logged model that is not READY, and for a verdict that blocks it;
    ///   `conflict` for one with another tree.
    package func createModelVersion(_ new: NewVersion) throws -> ModelVersion {
        try reader.requireRegistration(of: new)
        let model: Int64
        if let existing = try reader.modelIDIfThere(new.name) {
            model = existing
        } else if new.createModel {
            model = try insertModel(new.name)
        } else {
            throw CatalogReader.noModel(new.name)
        }
        if let run = new.runID { _ = try reader.state(of: run) }
        if let id = new.loggedModelID { try check(try reader.loggedModel(id), against: new) }
        let number = try nextVersion(of: model)
        let id = try insert(new, model: model, number: number)
        var facts: [String: CanonicalJSON.Value] = [
            "tree": .string("\(new.tree)"), "source": .string(new.source),
        ]
        if let run = new.runID { facts["run"] = .string("\(run)") }
        if let logged = new.loggedModelID { facts["logged_model"] = .string("\(logged)") }
        if !new.description.isEmpty { facts["description"] = .string(new.description) }
        try record(.versionCreate, model: new.name, version: number, facts: facts)
        let differences = try apply(
            TagChanges(set: new.tags), to: .modelVersions, of: .integer(id))
        try record(.versionTag, differences, model: new.name, version: number)
        try touch(model: model)
        return try reader.modelVersion(new.name, number)
    }

    /// Changes a version; what is `nil` stays.
    ///
    /// - Throws: `notFound`.
    package func updateModelVersion(
        _ name: String, _ version: UInt64, description: String? = nil,
        tags: TagChanges = TagChanges()
    ) throws -> ModelVersion {
        let (model, id) = try ids(name, version)
        if let description {
            let description = try Names.text(description, of: "description")
            try connection.execute(
                "UPDATE model_versions SET description = ? WHERE id = ?",
                [.text(description), .integer(id)])
            try record(
                .versionUpdate, model: name, version: version,
                facts: ["description": .string(description)])
        }
        let differences = try apply(tags, to: .modelVersions, of: .integer(id))
        try record(.versionTag, differences, model: name, version: version)
        try touch(version: id, of: model)
        return try reader.modelVersion(name, version)
    }

    /// Deletes a version with the aliases that point at it. Its number is never used again, its
    /// history stays.
    ///
    /// - Throws: `notFound`.
    package func deleteModelVersion(_ name: String, _ version: UInt64) throws {
        let (model, _) = try ids(name, version)
        try removeVersion(model: model, name: name, version)
        try touch(model: model)
    }

    /// Moves a version to a stage; with `archiveExisting`, the other versions of that stage go to
    /// Archived, each with an event of its own.
    ///
    /// - Throws: `notFound`; `invalidArgument` for `archiveExisting` with None or Archived;
    ///   `failedPrecondition` for a version whose verdict blocks it.
    package func transitionStage(
        _ name: String, _ version: UInt64, to stage: Stage, archiveExisting: Bool = false,
        comment: String = ""
    ) throws -> ModelVersion {
        let (model, id) = try ids(name, version)
        let moved = try reader.modelVersion(name, version)
        let comment = try Names.text(comment, of: "comment")
        guard !archiveExisting || stage.isExclusive else {
            throw LinajeError(
                .invalidArgument,
                "archive_existing is for Staging and Production, not for \(stage.rawValue); leave "
                    + "it out")
        }
        if stage.isExclusive, stage != moved.stage { try reader.require(.promotion, of: moved) }
        if archiveExisting {
            let others = try connection.all(
                """
                SELECT id, version FROM model_versions
                WHERE model_id = ? AND stage = ? AND id <> ? ORDER BY version
                """, [.integer(model), .text(stage.rawValue), .integer(id)]
            ) { (id: try $0.int(0), version: try $0.count(1)) }
            for other in others {
                try move(
                    other.id, of: model, name: name, other.version, from: stage, to: .archived,
                    comment: "version \(version) took its place")
            }
        }
        try move(
            id, of: model, name: name, version, from: moved.stage, to: stage, comment: comment)
        return try reader.modelVersion(name, version)
    }

    /// Removes one version, its tags and aliases, with their events.
    func removeVersion(model: Int64, name: String, _ version: UInt64) throws {
        guard let id = try reader.versionID(model: model, version: version) else { return }
        let aliases = try connection.all(
            "SELECT alias FROM model_aliases WHERE model_id = ? AND version = ? ORDER BY alias",
            [.integer(model), try .count(version, of: "version")]
        ) { try $0.text(0) }
        for alias in aliases { try deleteAlias(name, alias) }
        try removeTags(.modelVersions, of: .integer(id))
        try connection.execute(
            "DELETE FROM risk_acceptances WHERE version_id = ?", [.integer(id)])
        try connection.execute("DELETE FROM model_versions WHERE id = ?", [.integer(id)])
        try record(.versionDelete, model: name, version: version)
    }

    func ids(_ name: String, _ version: UInt64) throws -> (model: Int64, id: Int64) {
        let model = try reader.modelID(name)
        guard let id = try reader.versionID(model: model, version: version) else {
            throw CatalogReader.noVersion(name, version)
        }
        return (model, id)
    }

    private func check(_ logged: LoggedModel, against new: NewVersion) throws {
        guard logged.status == .ready, let tree = logged.tree else {
            throw LinajeError(
                .failedPrecondition,
                "logged model \(logged.id) is \(logged.status.rawValue), not READY; commit its "
                    + "files before registering it")
        }
        guard tree == new.tree else {
            throw LinajeError(
                .conflict, "logged model \(logged.id) has the tree \(tree), not \(new.tree)")
        }
    }

    /// Counted on the model's row, so that a deleted version's number is not used again.
    private func nextVersion(of model: Int64) throws -> UInt64 {
        try connection.execute(
            "UPDATE registered_models SET next_version = next_version + 1 WHERE id = ?",
            [.integer(model)])
        let number = try connection.first(
            "SELECT next_version - 1 FROM registered_models WHERE id = ?", [.integer(model)]
        ) { try $0.count(0) }
        guard let number else {
            throw LinajeError(.corrupt, "registered model \(model) lost its count of versions")
        }
        return number
    }

    private func insert(_ new: NewVersion, model: Int64, number: UInt64) throws -> Int64 {
        let id = try nextID(.modelVersions)
        let description = try StoredModelDescription(new.model)
        try connection.execute(
            """
            INSERT INTO model_versions (id, model_id, version, tree, size, source,
                source_version_id, run_id, logged_model_id, stage, description, principal,
                created_at_us, updated_at_us, model, tensors)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(id), .integer(model), try .count(number, of: "version"),
                .digest(new.tree), try .count(new.size, of: "size of the model"),
                .text(try Names.text(new.source, of: "source")),
                .optional(try sourceVersion(of: new)), .id(new.runID),
                .id(new.loggedModelID), .text(Stage.none.rawValue),
                .text(try Names.text(new.description, of: "description")),
                .text(principal.name), .time(now), .time(now), .text(description.model),
                .text(description.tensors),
            ])
        return id
    }

    /// The version that the source named, when it had the same content: an alias may have moved
    /// since the caller looked.
    private func sourceVersion(of new: NewVersion) throws -> Int64? {
        guard let id = try reader.versionID(of: new.source) else { return nil }
        return try connection.first(
            "SELECT id FROM model_versions WHERE id = ? AND tree = ?",
            [.integer(id), .digest(new.tree)]
        ) { try $0.int(0) }
    }

    private func move(
        _ id: Int64, of model: Int64, name: String, _ version: UInt64, from: Stage, to: Stage,
        comment: String
    ) throws {
        try connection.execute(
            "UPDATE model_versions SET stage = ? WHERE id = ?",
            [.text(to.rawValue), .integer(id)])
        try touch(version: id, of: model)
        try record(
            .versionStage, model: name, version: version,
            facts: [
                "from": .string(from.rawValue), "to": .string(to.rawValue),
                "comment": .string(comment),
            ])
    }

    func touch(version id: Int64, of model: Int64) throws {
        try connection.execute(
            "UPDATE model_versions SET updated_at_us = ? WHERE id = ?",
            [.time(now), .integer(id)])
        try touch(model: model)
    }
}
