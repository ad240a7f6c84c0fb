import LinajeCatalog
package import LinajeDomain
package import LinajeRunLogs

/// What the commands of runs wrote: append, read, follow, search.
package struct RunLogService: Sendable {
    let catalog: CatalogStore
    let store: RunLogStore
    let uses: RunUses

    /// Appends to the log of a run; of one that has ended too, since a command's last words come after
    /// its end.
    ///
    /// - Throws: `notFound`, `runNotActive` for a deleted run; as `RunLogStore.append`.
    package func append(
        run: RunID, writer: WriterID, offset: UInt64, _ records: [LogRecord]
    ) async throws -> RunLogStore.Appended {
        try await uses.with(run) {
            guard try await requireRun(run).lifecycle == .active else {
                throw LinajeError(.runNotActive, "run \(run) is deleted; restore it first")
            }
            return try await store.append(run: run, writer: writer, offset: offset, records)
        }
    }

    /// Opens the reading of a log.
    ///
    /// - Parameter streams: those that a number of last lines is about.
    package func open(
        _ run: RunID, at start: LogStart, streams: Set<LogStream>
    ) async throws -> (extent: LogExtent, offset: UInt64) {
        _ = try await requireRun(run)
        let extent = try await store.extent(run)
        return (extent, try await store.offset(of: start, run, streams: streams))
    }

    /// The next part of a log; empty at its end.
    ///
    /// - Throws: `notFound` when the run was deleted for good meanwhile.
    package func read(
        _ run: RunID, from offset: UInt64, streams: Set<LogStream>
    ) async throws -> (records: [PlacedLogRecord], next: UInt64) {
        let page = try await store.read(run, from: offset, streams: streams)
        // The run is gone before its log is: what was read of a run that is there is all there was.
        _ = try await requireRun(run)
        return page
    }

    /// Wakes whoever follows a log, until the run ends.
    package func appends(_ run: RunID) async throws -> AsyncStream<Void> {
        try await uses.with(run) {
            // Subscribe before looking at the status, or a run that ends in between leaves a tail
            // that nobody ends.
            let wakes = store.appends(run)
            let state = try await requireRun(run)
            if state.status.isTerminal || state.lifecycle == .deleted { store.endTails(run) }
            return wakes
        }
    }

    private func requireRun(_ run: RunID) async throws -> RunState {
        guard let state = try await catalog.read({ try $0.runStatus(run) }) else {
            throw LinajeError(
                .notFound, "run \(run) does not exist", details: ["run_id": "\(run)"])
        }
        return state
    }
}
