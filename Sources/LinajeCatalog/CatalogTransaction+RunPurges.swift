package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Takes a run out of the catalog for good, all but the last values of its metrics, and notes that
    /// the rest is to be removed. Runs below it are left without a parent.
    ///
    /// - Parameter run: as `CatalogReader.purgeable` gave it in this transaction.
    package func beginPurge(_ run: PurgedRun) throws {
        let id = SQLValue.id(run.id)
        try record(
            .runDelete, model: "",
            facts: [
                "run": .string("\(run.id)"), "experiment": .int(run.experimentID),
                "name": .string(run.name),
            ])
        try connection.execute(
            """
            INSERT INTO run_purges (run_id, experiment_id, principal, begun_at_us)
            VALUES (?, ?, ?, ?)
            """, [id, .integer(run.experimentID), .text(principal.name), .time(now)])
        for table in ["dataset_digests", "dataset_tags"] {
            try connection.execute(
                """
                DELETE FROM \(table)
                WHERE dataset_id IN (SELECT id FROM run_datasets WHERE run_id = ?)
                """, [id])
        }
        for table in [
            "run_datasets", "run_params", "run_tags", "run_models", "run_mounts",
            "run_metric_lists",
        ] {
            try connection.execute("DELETE FROM \(table) WHERE run_id = ?", [id])
        }
        try connection.execute("UPDATE runs SET parent_id = NULL WHERE parent_id = ?", [id])
        try connection.execute("DELETE FROM runs WHERE id = ?", [id])
    }

    /// Removes some of the last values of a run whose points are gone; with the last of them its
    /// deletion is done.
    ///
    /// - Returns: whether it is done.
    package func finishPurge(_ run: RunID) throws -> Bool {
        let id = SQLValue.id(run)
        let removed = try connection.execute(
            """
            DELETE FROM run_metrics WHERE run_id = ? AND key IN (
                SELECT key FROM run_metrics WHERE run_id = ? LIMIT ?)
            """, [id, id, .integer(Self.purgedMetrics)])
        guard removed < Self.purgedMetrics else { return false }
        try connection.execute("UPDATE run_purges SET is_done = 1 WHERE run_id = ?", [id])
        return true
    }

    /// Lets runs that were deleted before it was noted when count from now on.
    func noteOldDeletions() throws {
        try connection.execute(
            """
            UPDATE runs SET deleted_at_us = ?
            WHERE lifecycle = 'deleted' AND deleted_at_us IS NULL
            """, [.time(now)])
    }

    /// - Throws: `failedPrecondition` when a run with this id was deleted for good.
    func requireNeverPurged(_ id: RunID) throws {
        guard try reader.purge(of: id) != nil else { return }
        throw LinajeError(
            .failedPrecondition,
            "run \(id) was deleted for good; give the new run another id",
            details: ["run_id": "\(id)", "deleted": "for good"])
    }

    /// Last values that one transaction removes.
    private static let purgedMetrics: Int64 = 2_000
}

extension CatalogReader {
    /// The run, if it may be deleted for good.
    ///
    /// - Parameter alsoActive: also one that is not marked as deleted.
    /// - Throws: `notFound`; `failedPrecondition` naming what came of it, or saying that it is not
    ///   marked as deleted.
    package func purgeable(_ id: RunID, alsoActive: Bool) throws -> PurgedRun {
        let found = try connection.first(
            "SELECT name, experiment_id, lifecycle, deleted_at_us FROM runs WHERE id = ?",
            [.id(id)]
        ) { row in
            let isDeleted = try row.choice(2) == Lifecycle.deleted
            let run = PurgedRun(
                id: id, name: try row.text(0), experimentID: try row.int(1),
                deletedAt: isDeleted && !row.isNull(3) ? try row.time(3) : nil)
            return (run: run, isDeleted: isDeleted)
        }
        guard let found else { throw try missing(id) }
        guard found.isDeleted || alsoActive else {
            throw LinajeError(
                .failedPrecondition,
                "run \(id) is not deleted, and could not be restored; delete it first",
                details: ["run_id": "\(id)"])
        }
        if let descendant = try descendant(of: id) {
            throw LinajeError(
                .failedPrecondition,
                "run \(id) stays: \(descendant) came of it; delete that first",
                details: ["run_id": "\(id)"])
        }
        return found.run
    }

    /// Whether there are runs that were deleted before it was noted when.
    func hasOldDeletions() throws -> Bool {
        try connection.first(
            "SELECT 1 FROM runs WHERE lifecycle = 'deleted' AND deleted_at_us IS NULL LIMIT 1"
        ) { try $0.int(0) } != nil
    }

    /// Why a run is not there: whoever still has something for it need not wait for it.
    func missing(_ id: RunID) throws -> LinajeError {
        guard try purge(of: id) != nil else { return Self.noRun(id) }
        return LinajeError(
            .notFound, "run \(id) was deleted for good",
            details: ["run_id": "\(id)", "deleted": "for good"])
    }

    /// How far the deletion of a run for good is; `nil`: there was none.
    package func purge(of id: RunID) throws -> RunPurgeState? {
        try connection.first(
            "SELECT experiment_id, is_done FROM run_purges WHERE run_id = ?", [.id(id)]
        ) { row in
            RunPurgeState(experimentID: try row.int(0), isDone: try row.int(1) != 0)
        }
    }

    /// Runs whose deletion for good is not done, in the order of their ids, after one of them, at most
    /// so many.
    package func openPurges(after last: RunID?, limit: Int) throws -> [RunID] {
        try connection.all(
            """
            SELECT run_id FROM run_purges WHERE is_done = 0 AND run_id > ?
            ORDER BY run_id LIMIT ?
            """, [last.map { .id($0) } ?? .blob([]), .integer(Int64(limit))]
        ) { try $0.requiredID(0) }
    }

    /// Runs that were marked as deleted by a moment, the earliest first, after one of them, at most so
    /// many.
    package func deletedRuns(
        by moment: Timestamp, after last: (at: Timestamp, id: RunID)?, limit: Int
    ) throws -> [(at: Timestamp, id: RunID)] {
        try connection.all(
            """
            SELECT deleted_at_us, id FROM runs
            WHERE lifecycle = 'deleted' AND deleted_at_us <= ? AND (deleted_at_us, id) > (?, ?)
            ORDER BY deleted_at_us, id LIMIT ?
            """,
            [
                .time(moment), last.map { .time($0.at) } ?? .integer(.min),
                last.map { .id($0.id) } ?? .blob([]), .integer(Int64(limit)),
            ]
        ) { (at: try $0.time(0), id: try $0.requiredID(1)) }
    }

    /// A model version or logged model that came of a run.
    private func descendant(of id: RunID) throws -> String? {
        if let version = try connection.first(
            """
            SELECT m.name, v.version FROM model_versions v
            JOIN registered_models m ON m.id = v.model_id WHERE v.run_id = ? LIMIT 1
            """, [.id(id)], { "model version \(try $0.text(0))/\(try $0.int(1))" })
        {
            return version
        }
        return try connection.first(
            """
            SELECT id FROM logged_models WHERE run_id = ?
            UNION ALL
            SELECT l.id FROM run_models r JOIN logged_models l ON l.id = r.logged_model_id
            WHERE r.run_id = ? AND r.direction = 'output'
            LIMIT 1
            """, [.id(id), .id(id)]
        ) {
            let model: LoggedModelID = try $0.requiredID(0)
            return "logged model \(model)"
        }
    }
}

/// How far the deletion of a run for good is.
package struct RunPurgeState: Sendable, Hashable {
    /// The experiment that the run was in.
    package var experimentID: ExperimentID
    /// Nothing is left of it.
    package var isDone: Bool
}
