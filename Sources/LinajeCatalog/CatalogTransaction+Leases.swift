package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Takes or renews the owner's lease of a run; a STALLED run is RUNNING again.
    ///
    /// - Throws: `notFound`; `runNotActive` for a run that has ended or is deleted.
    package func attach(_ id: RunID, _ lease: Lease) throws -> Run {
        let state = try reader.state(of: id)
        guard state.lifecycle == .active else { throw deleted(id) }
        guard !state.status.isTerminal else { throw ended(id, state.status) }
        try connection.execute(
            """
            UPDATE runs SET lease_kind = ?, lease_pid = ?, lease_start = ?, lease_timeout_us = ?,
                lease_boot = ?, lease_supervises = ?, lease_heartbeat_us = ?, status = ?, ended_cause = ''
            WHERE id = ?
            """,
            (try lease.columns()) + [
                .time(now),
                .text((state.status == .stalled ? .running : state.status).rawValue), .id(id),
            ])
        return try reader.run(id)
    }

    /// Notes that the owner of a run is alive; a STALLED run is RUNNING again.
    ///
    /// - Throws: `notFound`; `runNotActive` for a run that has ended or is deleted.
    package func heartbeat(_ id: RunID) throws {
        let state = try reader.state(of: id)
        guard state.lifecycle == .active else { throw deleted(id) }
        guard !state.status.isTerminal else { throw ended(id, state.status) }
        try connection.execute(
            """
            UPDATE runs SET lease_heartbeat_us = ?, ended_cause = '',
                status = CASE WHEN status = 'STALLED' THEN 'RUNNING' ELSE status END
            WHERE id = ?
            """, [.time(now), .id(id)])
    }

    /// Notes when owners of runs were last heard of by other ways than `heartbeat`; earlier times
    /// than the known ones, and runs that have ended, change nothing.
    package func noteHeard(_ heard: [RunID: Timestamp]) throws {
        for (id, time) in heard {
            try connection.execute(
                """
                UPDATE runs SET lease_heartbeat_us = ?
                WHERE id = ? AND lease_kind = 'heartbeat' AND COALESCE(lease_heartbeat_us, 0) < ?
                """, [.time(time), .id(id), .time(time)])
        }
    }

    /// Makes a RUNNING run with a heartbeat lease STALLED; says whether it did.
    ///
    /// Whether its timeout has passed the caller knows, whose clock stands still while the machine
    /// sleeps. A sign of life after `heardAt`, or an end, wins: nothing changes then.
    /// - Parameter heardAt: when its owner was last heard of.
    @discardableResult
    package func stall(_ id: RunID, heardAt: Timestamp) throws -> Bool {
        try connection.execute(
            """
            UPDATE runs SET status = 'STALLED', lease_heartbeat_us = ?, ended_cause = ?
            WHERE id = ? AND status = 'RUNNING' AND lease_kind = 'heartbeat'
                AND COALESCE(lease_heartbeat_us, created_at_us) <= ?
            """,
            [
                .time(heardAt), .text("no heartbeat since \(heardAt.text)"), .id(id),
                .time(heardAt),
            ]) > 0
    }

    private func ended(_ id: RunID, _ status: RunStatus) -> LinajeError {
        LinajeError(
            .runNotActive,
            "run \(id) has ended (\(status.rawValue)); set it RUNNING to resume it",
            details: ["run_id": "\(id)"])
    }
}
