package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Creates a logged model: READY with a tree, else PENDING. The same id again answers with the
    /// model that is there, if the same principal created it in the same experiment and run.
    ///
    /// - Throws: `alreadyExists` for an id of somebody else; `notFound` for the experiment or run;
    ///   `invalidArgument` for a run of another experiment.
    package func createLoggedModel(_ new: NewLoggedModel) throws -> LoggedModel {
        let id = new.id ?? .timeOrdered()
        if let existing = try reader.loggedModelIfThere(id) {
            let creator = try connection.first(
                "SELECT principal FROM logged_models WHERE id = ?", [.id(id)]
            ) { try $0.text(0) }
            guard existing.experimentID == new.experimentID, existing.runID == new.runID,
                creator == principal.name
            else {
                throw LinajeError(
                    .alreadyExists,
                    "logged model \(id) exists in experiment \(existing.experimentID); choose "
                        + "another id")
            }
            return existing
        }
        try requireActiveExperiment(new.experimentID)
        if let run = new.runID { try require(run, in: new.experimentID) }
        try insert(new, id: id)
        try apply(TagChanges(set: new.tags), to: .loggedModels, of: .id(id))
        try add(new.params, to: .loggedModels, of: .id(id), shown: "\(id)")
        return try reader.loggedModel(id)
    }

    /// Changes a logged model; what is `nil` stays.
    ///
    /// A tree makes it READY. A model that is READY stays so, with its tree; one whose upload
    /// failed may be tried again.
    /// - Throws: `notFound`; `failedPrecondition` for READY without a tree, for another status or
    ///   tree once it is READY; `invalidArgument` for a tree together with another status;
    ///   `conflict` for a param with another value.
    package func updateLoggedModel(
        _ id: LoggedModelID, _ update: LoggedModelUpdate
    ) throws -> LoggedModel {
        let old = try reader.loggedModel(id)
        if let tree = update.tree {
            try set(tree, of: old, update)
        } else if let status = update.status {
            try set(status, of: old)
        }
        if let statusMessage = update.statusMessage {
            try connection.execute(
                "UPDATE logged_models SET status_message = ? WHERE id = ?",
                [.text(try Names.text(statusMessage, of: "status message")), .id(id)])
        }
        try apply(update.tags, to: .loggedModels, of: .id(id))
        try add(update.params, to: .loggedModels, of: .id(id), shown: "\(id)")
        try connection.execute(
            "UPDATE logged_models SET updated_at_us = ? WHERE id = ?", [.time(now), .id(id)])
        return try reader.loggedModel(id)
    }

    /// Deletes a logged model with its tags and params.
    ///
    /// - Throws: `notFound`; `failedPrecondition` when a version was registered from it.
    package func deleteLoggedModel(_ id: LoggedModelID) throws {
        let model = try reader.loggedModel(id)
        if let version = model.registrations.first {
            throw LinajeError(
                .failedPrecondition,
                "logged model \(id) is registered as version \(version.version) of "
                    + "\(version.name); delete that version first")
        }
        try removeTags(.loggedModels, of: .id(id))
        try connection.execute(
            "DELETE FROM logged_model_params WHERE logged_model_id = ?", [.id(id)])
        try connection.execute(
            "DELETE FROM logged_model_metrics WHERE logged_model_id = ?", [.id(id)])
        try connection.execute("DELETE FROM logged_models WHERE id = ?", [.id(id)])
    }

    private func require(_ run: RunID, in experiment: ExperimentID) throws {
        try requireNotDeleted(run)
        let actual = try connection.first(
            "SELECT experiment_id FROM runs WHERE id = ?", [.id(run)]
        ) { try $0.int(0) }
        guard let actual else { throw CatalogReader.noRun(run) }
        guard actual == experiment else {
            throw LinajeError(
                .invalidArgument,
                "run \(run) belongs to experiment \(actual), not to \(experiment); name its own")
        }
    }

    private func insert(_ new: NewLoggedModel, id: LoggedModelID) throws {
        let description = try StoredModelDescription(new.model)
        let status: LoggedModelStatus = new.tree == nil ? .pending : .ready
        try connection.execute(
            """
            INSERT INTO logged_models (id, experiment_id, run_id, name, status, status_message,
                model_type, tree, size, step, principal, created_at_us, updated_at_us, model,
                tensors)
            VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .id(id), .integer(new.experimentID), .id(new.runID),
                .text(try Names.loggedModel(new.name)), .text(status.rawValue),
                .text(try Names.text(new.modelType, of: "type of the model")),
                .digest(new.tree),
                try .count(new.tree == nil ? 0 : new.size, of: "size of the model"),
                .integer(new.step),
                .text(principal.name), .time(now), .time(now), .text(description.model),
                .text(description.tensors),
            ])
    }

    private func set(
        _ tree: SHA256Digest, of model: LoggedModel, _ update: LoggedModelUpdate
    ) throws {
        guard update.status == nil || update.status == .ready else {
            throw LinajeError(
                .invalidArgument,
                "logged model \(model.id) with a tree is READY; leave out the other status")
        }
        guard model.tree == nil || model.tree == tree else {
            throw LinajeError(
                .failedPrecondition,
                "logged model \(model.id) has a tree already, which cannot be changed; create "
                    + "another model")
        }
        let description = try StoredModelDescription(update.model)
        try connection.execute(
            """
            UPDATE logged_models SET status = 'READY', status_message = '', tree = ?, size = ?,
                model = ?, tensors = ?
            WHERE id = ?
            """,
            [
                .digest(tree), try .count(update.size, of: "size of the model"),
                .text(description.model), .text(description.tensors), .id(model.id),
            ])
    }

    private func set(_ status: LoggedModelStatus, of model: LoggedModel) throws {
        guard status != .released || model.status == .released else {
            throw LinajeError(
                .invalidArgument, "logged models become RELEASED by retention policies only")
        }
        guard status != .ready || model.tree != nil else {
            throw LinajeError(
                .failedPrecondition,
                "logged model \(model.id) has no tree and cannot be READY; commit its files "
                    + "first")
        }
        guard model.status != .ready || status == .ready else {
            throw LinajeError(
                .failedPrecondition,
                "logged model \(model.id) is READY and cannot become \(status.rawValue)")
        }
        try connection.execute(
            "UPDATE logged_models SET status = ? WHERE id = ?",
            [.text(status.rawValue), .id(model.id)])
    }
}
