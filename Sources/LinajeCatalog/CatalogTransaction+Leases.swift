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
                lease_heartbeat_us = ?, status = ?
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
            UPDATE runs SET lease_heartbeat_us = ?,
                status = CASE WHEN status = 'STALLED' THEN 'RUNNING' ELSE status END
            WHERE id = ?
            """, [.time(now), .id(id)])
    }

    /// Makes a RUNNING run STALLED whose heartbeat timeout has passed; says whether it did.
    ///
    /// A heartbeat that came meanwhile, or an end, wins: nothing changes then.
    @discardableResult
    package func stall(_ id: RunID) throws -> Bool {
        try connection.execute(
            """
            UPDATE runs SET status = 'STALLED'
            WHERE id = ? AND status = 'RUNNING' AND lease_kind = 'heartbeat'
                AND COALESCE(lease_heartbeat_us, created_at_us) <= ? - lease_timeout_us
            """, [.id(id), .time(now)]) > 0
    }

    private func ended(_ id: RunID, _ status: RunStatus) -> LinajeError {
        LinajeError(
            .runNotActive,
            "run \(id) has ended (\(status.rawValue)); set it RUNNING to resume it",
            details: ["run_id": "\(id)"])
    }
}
