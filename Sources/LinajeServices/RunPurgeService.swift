import LinajeCatalog
package import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeRunLogs
import Logging
import ServiceLifecycle
import Synchronization

/// Deletes runs for good.
///
/// A run is in two databases, which no transaction spans. Its row in the catalog becomes a tombstone
/// in one transaction with the event in the ledger: from then on nobody finds it. Then the points and the log
/// go, then the last values in the catalog, then the tombstone is done. One worker does these steps,
/// each of which may be repeated, for all tombstones that are not done: those of a call, and
/// those that an earlier daemon left.
package final class RunPurgeService: Service, Sendable {
    /// Runs that are taken out of the catalog in one transaction.
    static let batchRuns = 16
    /// How long nothing is tried after a failure, and after many.
    static let retryInterval = Duration.seconds(5)
    static let longestRetryInterval = Duration.seconds(300)
    /// How often a call looks how far the worker is, and tells the client of it.
    private static let lookInterval = Duration.milliseconds(5)
    private static let reportInterval = Duration.milliseconds(200)

    /// What calls want to know of a run.
    private struct Watch {
        var readers = 0
        var points: UInt64 = 0
        var logBytes: UInt64 = 0
        var outcome: Result<Void, LinajeError>?
    }

    private let catalog: CatalogStore
    private let metrics: MetricStore
    private let logs: RunLogStore
    private let owners: OwnerWatch
    private let uses: RunUses
    private let clock: any WallClock
    private let logger: Logger
    private let watches = Mutex<[RunID: Watch]>([:])
    private let isWanted = Atomic<Bool>(false)
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(
        catalog: CatalogStore, metrics: MetricStore, logs: RunLogStore, owners: OwnerWatch,
        uses: RunUses, clock: any WallClock, logger: Logger
    ) {
        self.catalog = catalog
        self.metrics = metrics
        self.logs = logs
        self.owners = owners
        self.uses = uses
        self.clock = clock
        self.logger = logger
        (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Finishes what was begun until graceful shutdown, first what an earlier daemon left.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            self.wake.yield()
            var pause = Self.retryInterval
            for await _ in self.wakes {
                guard await !self.finishAll() else {
                    pause = Self.retryInterval
                    continue
                }
                await self.rest(pause)
                pause = min(pause * 2, Self.longestRetryInterval)
                self.wake.yield()
            }
        }
    }

    /// Rests after a failure, but not while somebody waits for an answer.
    private func rest(_ pause: Duration) async {
        let end = ContinuousClock.now + pause
        isWanted.store(false, ordering: .relaxed)
        repeat {
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
        } while ContinuousClock.now < end && !isWanted.load(ordering: .relaxed)
    }

    /// Deletes runs for good and reports what becomes of each; one that must stay is reported with its
    /// failure, and the work goes on. What was begun is finished also when `report` throws or the calling
    /// task is cancelled.
    package func purge(
        _ purge: RunPurge, by principal: Principal,
        report: @Sendable (PurgedRun) async throws -> Void
    ) async throws {
        switch purge.choice {
        case .runs(let ids, let alsoActive):
            for start in stride(from: 0, to: ids.count, by: Self.batchRuns) {
                let batch = ids[start..<min(ids.count, start + Self.batchRuns)]
                try await self.purge(
                    Array(batch), alsoActive: alsoActive, purge.isDryRun, principal, report)
            }
        case .deletedFor(let age):
            let (span, isAges) = age.components.seconds
                .multipliedReportingOverflow(by: 1_000_000)
            let (moment, isEarlier) = clock.now().microseconds
                .subtractingReportingOverflow(span)
            // Before any run there can be.
            guard !isAges, !isEarlier else { return }
            var last: (at: Timestamp, id: RunID)?
            repeat {
                let found = try await catalog.read { [last] reader in
                    try reader.deletedRuns(
                        by: Timestamp(microseconds: moment), after: last, limit: Self.batchRuns)
                }
                try await self.purge(
                    found.map(\.id), alsoActive: false, purge.isDryRun, principal, report)
                last = found.count < Self.batchRuns ? nil : found.last
            } while last != nil
        }
    }

    // MARK: The side of the caller

    private func purge(
        _ ids: [RunID], alsoActive: Bool, _ isDryRun: Bool, _ principal: Principal,
        _ report: (PurgedRun) async throws -> Void
    ) async throws {
        guard !isDryRun else {
            let found = try await catalog.read { reader in
                try ids.map { try Self.look($0, alsoActive: alsoActive, reader) }
            }
            for var run in found {
                run.isFinished = true
                if run.failure == nil {
                    run.points = try await metrics.pointCount(run.id)
                    run.logBytes = ByteCount(try await logs.extent(run.id).bytes)
                }
                try await report(run)
            }
            return
        }
        watch(ids)
        defer { unwatch(ids) }
        let begun = try await catalog.change(.untracked(by: principal)) { transaction in
            try ids.map { id in
                if let open = try transaction.reader.purge(of: id), !open.isDone {
                    return PurgedRun(id: id, experimentID: open.experimentID)
                }
                let run = try Self.look(id, alsoActive: alsoActive, transaction.reader)
                if run.failure == nil { try transaction.beginPurge(run) }
                return run
            }
        }
        isWanted.store(true, ordering: .relaxed)
        wake.yield()
        for run in begun { try await wait(for: run, report) }
    }

    /// The run, or the run with the reason why it stays.
    private static func look(
        _ id: RunID, alsoActive: Bool, _ reader: CatalogReader
    ) throws -> PurgedRun {
        do {
            return try reader.purgeable(id, alsoActive: alsoActive)
        } catch let error as LinajeError
            where error.code == .notFound || error.code == .failedPrecondition
        {
            var run = PurgedRun(id: id)
            run.failure = error
            return run
        }
    }

    private func wait(
        for begun: PurgedRun, _ report: (PurgedRun) async throws -> Void
    ) async throws {
        var run = begun
        var reported = ContinuousClock.now
        while run.failure == nil {
            let watch = watches.withLock { $0[run.id] } ?? Watch()
            let isNews = watch.points > run.points || watch.logBytes > run.logBytes.bytes
            run.points = watch.points
            run.logBytes = ByteCount(watch.logBytes)
            switch watch.outcome {
            case .success?:
                run.isFinished = true
                return try await report(run)
            case .failure(let error)?:
                run.failure = error
            case nil:
                if isNews, reported.duration(to: .now) >= Self.reportInterval {
                    reported = .now
                    try await report(run)
                }
                try await Task.sleep(for: Self.lookInterval)
            }
        }
        run.isFinished = true
        try await report(run)
    }

    private func watch(_ ids: [RunID]) {
        watches.withLock { watches in
            for id in ids { watches[id, default: Watch()].readers += 1 }
        }
    }

    private func unwatch(_ ids: [RunID]) {
        watches.withLock { watches in
            for id in ids {
                watches[id]?.readers -= 1
                if watches[id]?.readers == 0 { watches[id] = nil }
            }
        }
    }

    // MARK: The worker

    /// Finishes everything that was begun; says whether nothing hindered it. Who waits is told. A run
    /// that cannot be finished does not keep the others from it.
    @discardableResult
    func finishAll() async -> Bool {
        var isWell = true
        var last: RunID?
        do {
            repeat {
                let runs = try await catalog.read { [last] reader in
                    try reader.openPurges(after: last, limit: Self.batchRuns)
                }
                for run in runs {
                    try Task.checkCancellation()
                    do {
                        try await finish(run)
                        tell(run, .success(()))
                    } catch let error as LinajeError where error.code != .cancelled {
                        isWell = false
                        logger.error("run \(run) is deleted for good, but not gone yet: \(error)")
                        tell(run, .failure(Self.unfinished(error)))
                    }
                }
                last = runs.count < Self.batchRuns ? nil : runs.last
            } while last != nil
        } catch is CancellationError {
        } catch {
            isWell = false
            logger.error("runs that were deleted for good are not gone yet: \(error)")
            let cause =
                error as? LinajeError ?? LinajeError(.internalError, "\(error); see the log")
            let told = Self.unfinished(cause)
            for run in watches.withLock({ Array($0.keys) }) { tell(run, .failure(told)) }
        }
        return isWell
    }

    private static func unfinished(_ cause: LinajeError) -> LinajeError {
        LinajeError(
            cause.code, "run is deleted, but what it had is not removed yet: \(cause.message)")
    }

    /// Says what became of a run to who waits for it; what was said first counts.
    private func tell(_ run: RunID, _ outcome: Result<Void, LinajeError>) {
        watches.withLock { watches in
            if watches[run] != nil, watches[run]?.outcome == nil { watches[run]?.outcome = outcome }
        }
    }

    private func finish(_ run: RunID) async throws {
        await uses.drained(run)
        owners.forget(run)
        try await metrics.delete(run) { points in
            watches.withLock { $0[run]?.points += UInt64(clamping: points) }
        }
        try await logs.delete(run) { bytes in
            watches.withLock { $0[run]?.logBytes += bytes }
        }
        while try await !catalog.change(
            .untracked(by: OwnerWatch.daemon), { try $0.finishPurge(run) })
        {}
    }
}
