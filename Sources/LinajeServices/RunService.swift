package import LinajeCatalog
package import LinajeDomain
import LinajeMetrics

/// Runs: create, look up, list, change, own.
package struct RunService: Sendable {
    let catalog: CatalogStore
    let metrics: MetricStore
    let owners: OwnerWatch

    package func create(_ new: NewRun, _ change: Change<Run>) async throws -> Run {
        let run = try await catalog.change(change) { try $0.createRun(new) }
        // A replay of a spool creates runs that have ended long ago: their lease is over too.
        if !run.status.isTerminal { owners.watch(run.id, run.lease) }
        return run
    }

    /// - Throws: `notFound`.
    package func get(_ id: RunID) async throws -> Run {
        try await catalog.read { try $0.run(id) }
    }

    package func search(_ query: RunQuery) async throws -> Paged<Run> {
        try await catalog.read { try $0.runs(query) }
    }

    package func update(
        _ id: RunID, _ update: RunUpdate, _ change: Change<Run>
    ) async throws -> Run {
        let run = try await catalog.change(change) { try $0.updateRun(id, update) }
        if run.status.isTerminal || run.lifecycle == .deleted {
            owners.forget(id)
            metrics.endTails(id)
        }
        if let status = update.status, status.isTerminal {
            RunMetrics.ended(status, by: .client)
        }
        return run
    }

    /// `done` is what the caller answers with; it is remembered with the idempotency key.
    package func log(
        _ id: RunID, _ additions: RunAdditions, _ change: Change<Void>
    ) async throws {
        try await catalog.change(change) { try $0.logRun(id, additions) }
    }

    package func attach(_ id: RunID, _ lease: Lease, _ change: Change<Run>) async throws -> Run {
        let run = try await catalog.change(change) { try $0.attach(id, lease) }
        owners.watch(id, lease)
        return run
    }

    /// The owner is alive. A STALLED run is RUNNING again.
    package func heartbeat(_ id: RunID) async throws {
        let state = try await catalog.change(.untracked(by: OwnerWatch.daemon)) { transaction in
            try transaction.heartbeat(id)
            return try transaction.reader.runStatus(id)
        }
        owners.heard(id, state?.lease)
    }
}
