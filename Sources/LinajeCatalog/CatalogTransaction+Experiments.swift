package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Creates an experiment; with `getExisting`, answers with the active one of that name.
    ///
    /// - Throws: `alreadyExists` for a taken name, `getExisting` or not when it is deleted.
    package func createExperiment(name: String, tags: [Tag] = [], getExisting: Bool = false)
        throws -> Experiment
    {
        let name = try Names.name(name, of: "experiment")
        if let existing = try reader.experimentIfThere(named: name) {
            if getExisting, existing.lifecycle == .active { return existing }
            throw taken(existing)
        }
        let id = try nextID(.experiments)
        try insertExperiment(id, name: name)
        try apply(TagChanges(set: tags), to: .experiments, of: .integer(id))
        return try reader.experiment(id: id)
    }

    /// Changes an experiment; what is `nil` stays.
    ///
    /// Deleting it deletes its active runs, restoring it restores those that were deleted with it.
    /// - Throws: `notFound`; `alreadyExists` for a taken name; `failedPrecondition` when it is
    ///   deleted and not restored by the same call, and for deleting or renaming "Default".
    package func updateExperiment(
        id: ExperimentID, name: String? = nil, lifecycle: Lifecycle? = nil,
        tags: TagChanges = TagChanges()
    ) throws -> Experiment {
        let old = try reader.experiment(id: id)
        let isOnlyDeletion = lifecycle == .deleted && name == nil && tags.isEmpty
        guard old.lifecycle == .active || lifecycle == .active || isOnlyDeletion else {
            throw LinajeError(
                .failedPrecondition, "experiment \(id) is deleted; restore it before changing it")
        }
        if let name {
            try rename(old, to: try Names.name(name, of: "experiment"))
        }
        if let lifecycle, lifecycle != old.lifecycle { try set(lifecycle, of: old) }
        try apply(tags, to: .experiments, of: .integer(id))
        try connection.execute(
            "UPDATE experiments SET updated_at_us = ? WHERE id = ?", [.time(now), .integer(id)])
        return try reader.experiment(id: id)
    }

    /// Experiment 0, which everything belongs to that names no other.
    func createDefaultExperiment() throws {
        guard try !reader.hasDefaultExperiment() else { return }
        try insertExperiment(0, name: "Default")
    }

    /// - Throws: `notFound`, or `failedPrecondition` when the experiment is deleted.
    func requireActiveExperiment(_ id: ExperimentID) throws {
        guard try reader.experiment(id: id).lifecycle == .active else {
            throw LinajeError(
                .failedPrecondition, "experiment \(id) is deleted; restore it or use another")
        }
    }

    private func insertExperiment(_ id: ExperimentID, name: String) throws {
        try connection.execute(
            """
            INSERT INTO experiments (id, name, lifecycle, created_at_us, updated_at_us)
            VALUES (?, ?, ?, ?, ?)
            """,
            [
                .integer(id), .text(name), .text(Lifecycle.active.rawValue), .time(now),
                .time(now),
            ])
    }

    private func rename(_ old: Experiment, to name: String) throws {
        guard !name.utf8.elementsEqual(old.name.utf8) else { return }
        try refuseDefault(old.id, "be renamed")
        if let other = try reader.experimentIfThere(named: name) { throw taken(other) }
        try connection.execute(
            "UPDATE experiments SET name = ? WHERE id = ?", [.text(name), .integer(old.id)])
    }

    private func set(_ lifecycle: Lifecycle, of experiment: Experiment) throws {
        try refuseDefault(experiment.id, "be deleted")
        let id = SQLValue.integer(experiment.id)
        try connection.execute(
            "UPDATE experiments SET lifecycle = ? WHERE id = ?", [.text(lifecycle.rawValue), id])
        switch lifecycle {
        case .deleted:
            try connection.execute(
                """
                UPDATE runs
                SET lifecycle = 'deleted', deleted_at_us = ?, deleted_with_experiment = 1
                WHERE experiment_id = ? AND lifecycle = 'active'
                """, [.time(now), id])
        case .active:
            try connection.execute(
                """
                UPDATE runs
                SET lifecycle = 'active', deleted_at_us = NULL, deleted_with_experiment = 0
                WHERE experiment_id = ? AND deleted_with_experiment = 1
                """, [id])
        }
    }

    private func refuseDefault(_ id: ExperimentID, _ what: String) throws {
        guard id != 0 else {
            throw LinajeError(
                .failedPrecondition, "experiment 0 \"Default\" cannot \(what): it always exists")
        }
    }

    private func taken(_ existing: Experiment) -> LinajeError {
        let advice =
            existing.lifecycle == .deleted
            ? "it is deleted: restore it or choose another name" : "choose another name or use it"
        return LinajeError(
            .alreadyExists, "experiment \"\(existing.name)\" exists as \(existing.id); \(advice)",
            details: ["experiment_id": String(existing.id)])
    }
}
