package import LinajeCatalog
package import LinajeDomain
package import LinajeHost
import LinajeMetrics
import LinajeRunLogs

/// Runs: create, look up, list, change, own.
package struct RunService: Sendable {
    let catalog: CatalogStore
    let metrics: MetricStore
    let logs: RunLogStore
    let owners: OwnerWatch
    let index: MetricIndexService
    let uses: RunUses

    /// - Parameter owner: the process of a process lease, when the connection knows it.
    package func create(
        _ new: NewRun, owner: ProcessDescriptor?, _ change: Change<Run>
    ) async throws -> Run {
        var new = new
        let id = new.id ?? .timeOrdered()
        new.id = id
        return try await uses.with(id) { [new] in
            let run = try await catalog.change(change) { try $0.createRun(new) }
            try await watch(run, claimed: new.lease, owner)
            return run
        }
    }

    /// - Throws: `notFound`.
    package func get(_ id: RunID) async throws -> Run {
        var run = try await catalog.read { try $0.run(id) }
        // Points are signs of life that the catalog learns of later.
        if let heard = owners.lastHeard(id), run.ownerHeardAt.map({ $0 < heard }) ?? false {
            run.ownerHeardAt = heard
        }
        return run
    }

    /// What names a metric sees every point that was durable before, unless the index is far behind;
    /// the last values that any list shows may be a moment older.
    package func search<Labels: RunLabels>(
        _ query: RunQuery, _ wish: SearchWish
    ) async throws -> Paged<LabelledRun<Labels>> {
        if query.usesMetrics { try await index.catchUp() }
        return try await catalog.search(LabelledRunQuery<Labels>(query), wish)
    }

    /// The data sets of all runs.
    package func datasets(
        _ query: DatasetQuery, _ wish: SearchWish
    ) async throws -> Paged<FoundDataset> {
        try await catalog.search(query, wish)
    }

    package func update(
        _ id: RunID, _ update: RunUpdate, _ change: Change<Run>
    ) async throws -> Run {
        try await uses.with(id) {
            let run = try await catalog.change(change) { try $0.updateRun(id, update) }
            // The owner of a deleted run is still watched: the run may be restored.
            if run.status.isTerminal { owners.forget(id) }
            if run.status.isTerminal || run.lifecycle == .deleted {
                metrics.endTails(id)
                logs.endTails(id)
            }
            if update.status?.isTerminal ?? false, !update.isWish {
                RunMetrics.ended(run.status, by: .client)
            }
            // A STALLED run that is set RUNNING has a full timeout again.
            if update.status == .running { owners.heartbeat(id, run.lease) }
            return run
        }
    }

    /// `done` is what the caller answers with; it is remembered with the idempotency key.
    package func log(
        _ id: RunID, _ additions: RunAdditions, _ change: Change<Void>
    ) async throws {
        try await catalog.change(change) { try $0.logRun(id, additions) }
    }

    /// - Parameter owner: the process of a process lease, when the connection knows it.
    package func attach(
        _ id: RunID, _ lease: Lease, owner: ProcessDescriptor?, _ change: Change<Run>
    ) async throws -> Run {
        try await uses.with(id) {
            let run = try await catalog.change(change) { try $0.attach(id, lease) }
            try await watch(run, claimed: lease, owner)
            return run
        }
    }

    /// The owner is alive. A STALLED run is RUNNING again.
    package func heartbeat(_ id: RunID) async throws {
        try await uses.with(id) {
            let state = try await catalog.change(.untracked(by: OwnerWatch.daemon)) {
                transaction in
                try transaction.heartbeat(id)
                return try transaction.reader.runStatus(id)
            }
            if let state { owners.heartbeat(id, state.lease) }
        }
    }

    /// Watches the owner of a run, if it is the caller: a repeated call, or one for a run that is
    /// there already, changes no owner. What is remembered of a call has lost a part of its lease.
    private func watch(_ run: Run, claimed lease: Lease, _ owner: ProcessDescriptor?) async throws {
        guard run.lease != lease else {
            if !run.status.isTerminal { owners.watch(run.id, lease, owner) }
            return
        }
        let current = try await catalog.read { try $0.runStatus(run.id) }
        guard let current, current.isOpen, current.lease == lease else { return }
        owners.watch(run.id, lease, owner)
    }
}
