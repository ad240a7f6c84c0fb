package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Creates a run. The same id again answers with the run that is there, if the same principal
    /// created it in the same experiment.
    ///
    /// - Throws: `alreadyExists` for an id of somebody else; `notFound` for the experiment or the
    ///   parent; `failedPrecondition` for a deleted experiment.
    package func createRun(_ new: NewRun) throws -> Run {
        let id = new.id ?? .timeOrdered()
        if let existing = try runIfThere(id) {
            guard existing.experimentID == new.experimentID,
                existing.principal.utf8.elementsEqual(principal.name.utf8)
            else {
                throw LinajeError(
                    .alreadyExists,
                    "run \(id) exists in experiment \(existing.experimentID), "
                        + "created by \(existing.principal); choose another id",
                    details: ["run_id": "\(id)"])
            }
            return existing
        }
        try requireNeverPurged(id)
        try requireActiveExperiment(new.experimentID)
        try checkParent(new.parentID, of: id)
        guard new.status == .running || new.status == .scheduled else {
            throw LinajeError(
                .invalidArgument,
                "run cannot be created \(new.status.rawValue); use RUNNING or SCHEDULED")
        }
        try insert(new, id: id)
        try apply(TagChanges(set: new.tags), to: .runs, of: .id(id))
        try add(new.params, to: .runs, of: .id(id), shown: "\(id)")
        return try reader.run(id)
    }

    /// Changes a run; what is `nil` stays.
    ///
    /// A terminal status ends the run and its lease, with `endedAt` or else now. RUNNING resumes a
    /// run that has ended. A wish only notes what the run should be when its owner ends it FINISHED.
    /// - Throws: `notFound`; `runNotActive` for a deleted run that the same call does not restore;
    ///   `invalidArgument` for STALLED, which only silence brings, or an end without an end;
    ///   `failedPrecondition` for restoring a run of a deleted experiment.
    package func updateRun(_ id: RunID, _ update: RunUpdate) throws -> Run {
        let old = try reader.state(of: id)
        let isOnlyLifecycle = update == RunUpdate(lifecycle: update.lifecycle)
        guard old.lifecycle == .active || update.lifecycle == .active || isOnlyLifecycle else {
            throw deleted(id)
        }
        if let lifecycle = update.lifecycle, lifecycle != old.lifecycle {
            try set(lifecycle, of: id)
        }
        if let name = update.name {
            try connection.execute(
                "UPDATE runs SET name = ? WHERE id = ?",
                [.text(try Names.name(name, of: "run")), .id(id)])
        }
        let end = RunEnd(
            at: update.endedAt,
            cause: try update.endedCause.map { try Names.text($0, of: "cause") },
            process: try update.processEnd?.checked())
        if update.isWish {
            try note(wish: update.status, of: id, old, end)
        } else if let status = update.status {
            try set(status, of: id, end)
        } else if !end.isEmpty {
            try correct(end, of: id, old)
        }
        return try reader.run(id)
    }

    /// Adds to a run, all or nothing. A run that has ended takes additions, they may be replays.
    ///
    /// Params and data sets that are there already are accepted.
    /// - Throws: `notFound`; `runNotActive` for a deleted run; `conflict` for a param with another
    ///   value.
    package func logRun(_ id: RunID, _ additions: RunAdditions) throws {
        try requireNotDeleted(id)
        try add(additions.params, to: .runs, of: .id(id), shown: "\(id)")
        try apply(additions.tags, to: .runs, of: .id(id))
        try add(additions.datasets, to: id)
        try add(additions.modelInputs, to: id, .input)
        try add(additions.modelOutputs, to: id, .output)
        if var provenance = additions.provenance {
            if additions.mergesProvenance, var known = try reader.provenance(of: id) {
                known.merge(provenance)
                provenance = known
            }
            try connection.execute(
                "UPDATE runs SET provenance = ? WHERE id = ?",
                [.text(try StoredJSON.encode(provenance, noun: "provenance")), .id(id)])
        }
    }

    /// Puts a tree among a run's artifacts; `nil`: at the root.
    ///
    /// - Throws: `notFound`; `runNotActive` for a deleted run.
    package func mountTree(
        _ id: RunID, path: TreePath?, tree: SHA256Digest, size: UInt64, files: UInt64
    ) throws {
        try requireNotDeleted(id)
        try connection.execute(
            """
            INSERT INTO run_mounts (run_id, position, path, tree, size, files, mounted_at_us)
            VALUES (
                ?, (SELECT COALESCE(MAX(position), 0) + 1 FROM run_mounts WHERE run_id = ?),
                ?, ?, ?, ?, ?)
            """,
            [
                .id(id), .id(id), .text(path?.text ?? ""), .digest(tree),
                try .count(size, of: "size of the tree"),
                try .count(files, of: "number of files"), .time(now),
            ])
    }

    func runIfThere(_ id: RunID) throws -> Run? {
        let exists = try connection.first(
            "SELECT 1 FROM runs WHERE id = ?", [.id(id)]
        ) { try $0.int(0) }
        return exists == nil ? nil : try reader.run(id)
    }

    func requireNotDeleted(_ id: RunID) throws {
        guard try reader.state(of: id).lifecycle == .active else { throw deleted(id) }
    }

    func deleted(_ id: RunID) -> LinajeError {
        LinajeError(
            .runNotActive, "run \(id) is deleted; restore it before changing it",
            details: ["run_id": "\(id)"])
    }

    private func checkParent(_ parent: RunID?, of id: RunID) throws {
        guard let parent else { return }
        guard parent != id else {
            throw LinajeError(.invalidArgument, "run \(id) cannot be its own parent")
        }
        _ = try reader.state(of: parent)
    }

    private func insert(_ new: NewRun, id: RunID) throws {
        let fallback = "run-\(Hex.encode(id.array.prefix(4)))"
        let provenance = try new.provenance.map {
            try StoredJSON.encode($0, noun: "provenance")
        }
        try connection.execute(
            """
            INSERT INTO runs (id, experiment_id, name, status, lifecycle, user_name, principal,
                parent_id, started_at_us, ended_cause, created_at_us, provenance,
                lease_kind, lease_pid, lease_start, lease_timeout_us, lease_boot,
                lease_supervises, lease_heartbeat_us)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .id(id), .integer(new.experimentID),
                .text(new.name.isEmpty ? fallback : try Names.name(new.name, of: "run")),
                .text(new.status.rawValue), .text(Lifecycle.active.rawValue),
                .text(try Names.text(new.user, of: "user of the run")), .text(principal.name),
                .id(new.parentID), .time(new.startedAt ?? now), .time(now),
                .optional(provenance),
            ] + (try new.lease.columns()) + [.time(now)])
    }

    private func set(_ lifecycle: Lifecycle, of id: RunID) throws {
        if lifecycle == .active {
            let experiment = try connection.first(
                "SELECT experiment_id FROM runs WHERE id = ?", [.id(id)]
            ) { try $0.int(0) }
            if let experiment { try requireActiveExperiment(experiment) }
        }
        try connection.execute(
            """
            UPDATE runs SET lifecycle = ?, deleted_at_us = ?, deleted_with_experiment = 0
            WHERE id = ?
            """,
            [
                .text(lifecycle.rawValue), lifecycle == .deleted ? .time(now) : .null, .id(id),
            ])
    }
}
