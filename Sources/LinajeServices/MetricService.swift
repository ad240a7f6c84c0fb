import LinajeCatalog
package import LinajeDomain
package import LinajeMetrics

/// Metric points of runs: write, read, follow. A read sees every point that the daemon had taken in
/// before it, also those whose commit was still to come.
package struct MetricService: Sendable {
    let catalog: CatalogStore
    let store: MetricStore
    let owners: OwnerWatch
    let uses: RunUses

    /// Opens the stream of a writer of a run.
    ///
    /// - Throws: `notFound` for an unknown run, `runNotActive` for one that is deleted or, unless
    ///   `replay`, has ended.
    package func openWriter(
        run: RunID, writer: WriterID, replay: Bool,
        onDurable: @escaping @Sendable (MetricWriter.Progress) -> Void,
        onFailure: @escaping @Sendable (LinajeError) -> Void
    ) async throws -> MetricWriter {
        try await uses.with(run) {
            let status = try await requireRun(run)
            guard status.lifecycle == .active else {
                throw LinajeError(.runNotActive, "run \(run) is deleted; restore it first")
            }
            guard replay || !status.status.isTerminal else {
                throw LinajeError(
                    .runNotActive,
                    "run \(run) is \(status.status.rawValue) and takes no new metrics; set it RUNNING "
                        + "to resume it")
            }
            let owners = owners
            return try await store.openWriter(
                run: run, writer: writer,
                onDurable: { progress in
                    // What is replayed is of another time, and of another process than the owner.
                    if !replay { owners.heardPoints(of: run) }
                    onDurable(progress)
                }, onFailure: onFailure)
        }
    }

    package func history(
        _ run: RunID, _ query: MetricQuery
    ) async throws -> AsyncThrowingStream<(MetricSeries, MetricColumns), any Error> {
        await store.waitUntilStored(run)
        return try await uses.with(run) {
            _ = try await requireRun(run)
            return store.history(run, query)
        }
    }

    package func buckets(
        _ run: RunID, _ query: MetricBucketQuery
    ) async throws -> AsyncThrowingStream<(MetricSeries, [MetricBucket]), any Error> {
        await store.waitUntilStored(run)
        return try await uses.with(run) {
            _ = try await requireRun(run)
            return try await store.buckets(run, query)
        }
    }

    package func summaries(_ run: RunID, keys: Set<String>) async throws -> [MetricSummary] {
        await store.waitUntilStored(run)
        return try await uses.with(run) {
            _ = try await requireRun(run)
            return try await store.summaries(run, keys: keys)
        }
    }

    /// Points as they become durable; ends with the run.
    package func tail(
        _ run: RunID, keys: Set<String>
    ) async throws -> AsyncStream<MetricTailPiece> {
        try await uses.with(run) {
            // Subscribe before looking at the status, or a run that ends in between leaves a tail
            // that nobody ends.
            let pieces = store.tail(run, keys: keys)
            let status = try await requireRun(run)
            if status.status.isTerminal { store.endTails(run) }
            return pieces
        }
    }

    /// For whoever read to the end of a tail.
    ///
    /// - Throws: `notFound` when it ended because its run was deleted for good.
    package func requireThere(_ run: RunID) async throws { _ = try await requireRun(run) }

    private func requireRun(_ run: RunID) async throws -> RunState {
        guard let status = try await catalog.read({ try $0.runStatus(run) }) else {
            throw LinajeError(
                .notFound, "run \(run) does not exist", details: ["run_id": "\(run)"])
        }
        return status
    }
}
