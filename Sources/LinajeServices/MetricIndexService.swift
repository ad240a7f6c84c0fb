package import LinajeCatalog
import LinajeDomain
package import LinajeMetrics
package import Logging
import ServiceLifecycle
import Synchronization

/// Carries the last values of metrics from the metric database into the catalog, where searches
/// find them.
///
/// No transaction spans the two databases: the catalog is written first, then the writers are
/// marked in the metric database. A crash in between does the same work again, which changes
/// nothing.
///
/// It works in passes over all runs with something new, begun a moment after a commit, and rests
/// nine times as long as a pass took: at most a tenth of the time. A search that looks at metrics
/// asks for a pass at once and waits for it.
package final class MetricIndexService: Service, Sendable {
    /// How long after a commit a pass begins, at the earliest.
    static let delay = Duration.milliseconds(100)
    /// Least time between two passes that searches asked for.
    static let urgentDelay = Duration.milliseconds(10)
    /// How long nothing is tried after a failure.
    static let retryInterval = Duration.seconds(5)
    /// The rest after a long pass, as that over an older store.
    static let longestRest = Duration.seconds(10)
    /// Runs that are read at once.
    static let batchRuns = 128
    /// Metrics that are carried over in one transaction, which other changes of the catalog wait for:
    /// a tenth of a second at most.
    static let transactionMetrics = 5_000

    private struct State {
        var begun: UInt64 = 0
        var finished: UInt64 = 0
        /// Searches wait for the pass of this number.
        var wanted: UInt64 = 0
        /// Runs whose points could not be read, as last told.
        var failures = 0
    }

    private let catalog: CatalogStore
    private let metrics: MetricStore
    private let logger: Logger
    /// How long a search waits for what was durable before it.
    private let patience: Duration
    private let state = Mutex(State())

    package init(
        catalog: CatalogStore, metrics: MetricStore, logger: Logger,
        patience: Duration = .seconds(1)
    ) {
        self.catalog = catalog
        self.metrics = metrics
        self.logger = logger
        self.patience = patience
    }

    /// Makes passes until graceful shutdown, first over what an earlier daemon left.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let started = ContinuousClock.now
                do {
                    try await self.pass()
                } catch is CancellationError {
                    return
                } catch {
                    self.logger.warning("metrics are not indexed for searches now: \(error)")
                    await self.rest(Self.retryInterval, isShort: { false })
                    continue
                }
                await self.rest(
                    min(started.duration(to: .now) * 9, Self.longestRest),
                    isShort: { self.isWanted })
                await self.metrics.waitForCommit()
                await self.rest(Self.delay, isShort: { self.isWanted })
            }
        }
    }

    /// Waits until searches see every point that was durable when this was called, or `patience` is
    /// over: they see the rest a moment later.
    package func catchUp() async throws {
        guard try await metrics.hasUnindexed() else { return }
        let number = state.withLock { state in
            state.wanted = max(state.wanted, state.begun + 1)
            return state.begun + 1
        }
        metrics.wakeIndexer()
        let deadline = ContinuousClock.now + patience
        while state.withLock({ $0.finished < number }), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Carries over everything that was new when it began.
    package func pass() async throws {
        let number = state.withLock { state in
            state.begun += 1
            return state.begun
        }
        var failures: [LinajeError] = []
        var cursor: MetricIndexBatch.Cursor?
        repeat {
            try Task.checkCancellation()
            let batch = try await metrics.unindexed(after: cursor, runs: Self.batchRuns)
            cursor = batch.next
            failures += batch.failures
            guard !batch.runs.isEmpty else { continue }
            for portion in batch.portions(of: Self.transactionMetrics) {
                try await catalog.indexMetrics(portion)
            }
            try await metrics.markIndexed(batch)
        } while cursor != nil
        let isNews = state.withLock { state in
            state.finished = number
            defer { state.failures = failures.count }
            return failures.count > state.failures
        }
        if isNews, let failure = failures.first {
            logger.error("searches do not see the metrics of \(failures.count) runs: \(failure)")
        }
    }

    private var isWanted: Bool { state.withLock { $0.wanted > $0.begun } }

    /// Sleeps, in steps; a step is enough once it is to be short.
    private func rest(_ duration: Duration, isShort: () -> Bool) async {
        let end = ContinuousClock.now + duration
        while true {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero, (try? await Task.sleep(for: min(left, Self.urgentDelay))) != nil,
                !isShort()
            else { return }
        }
    }
}
