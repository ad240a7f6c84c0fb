import LinajeDomain
import LinajePluginKit
import Logging
import Synchronization

/// Compacts runs in the background: those that have grown long, and those that have become quiet.
///
/// One step at a time, between which commits go; after a step it rests so long that compaction keeps
/// to its share of the time while points arrive.
final class MetricCompactor: Sendable {
    private struct Backlog {
        var segments = 0
        var points = 0
        var lastCommit: ContinuousClock.Instant
    }

    private struct State {
        var runs: [RunID: Backlog] = [:]
        /// Runs that cannot be compacted before a restart: bytes of them are damaged.
        var damaged: Set<RunID> = []
        var lastCommit: ContinuousClock.Instant?
        /// Until when it does nothing by itself.
        var pausedUntil: ContinuousClock.Instant?
    }

    /// How long it rests when the disk is full or a database is busy.
    private static let retryInterval = Duration.seconds(60)

    private let backend: any SQLBackend
    private let policy: CompactionPolicy
    private let logger: Logger
    private let metrics = CompactionMetrics()
    private let state = Mutex(State())

    init(backend: any SQLBackend, policy: CompactionPolicy, logger: Logger) {
        self.backend = backend
        self.policy = policy
        self.logger = logger
    }

    /// Notes segments that are durable now.
    func committed(_ run: RunID, segments: Int, points: Int) {
        guard policy.isAutomatic else { return }
        let now = ContinuousClock.now
        state.withLock { state in
            state.lastCommit = now
            var backlog = state.runs[run] ?? Backlog(lastCommit: now)
            backlog.segments += segments
            backlog.points += points
            backlog.lastCommit = now
            state.runs[run] = backlog
        }
    }

    /// Does nothing by itself for so long from now; zero ends a pause.
    func pause(for duration: Duration) {
        state.withLock { $0.pausedUntil = duration > .zero ? .now + duration : nil }
    }

    /// Forgets a run that is being deleted.
    func forget(_ run: RunID) {
        state.withLock { state in
            state.runs[run] = nil
            state.damaged.remove(run)
        }
    }

    /// Compacts what is due until the task is cancelled.
    func run() async {
        guard policy.isAutomatic else { return }
        var isKnown = false
        while !Task.isCancelled {
            do {
                if !isKnown {
                    try await look()
                    isKnown = true
                }
                guard let run = due() else {
                    try await Task.sleep(for: policy.interval)
                    continue
                }
                try await compact(run)
            } catch is CancellationError {
                return
            } catch {
                logger.warning("compaction waits", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: Self.retryInterval)
            }
        }
    }

    /// Compacts everything that is worth it, now.
    ///
    /// - Parameter report: told after each step, with the segments that are left.
    /// - Throws: what `report` throws; the backend's errors. A run with damaged bytes is passed over.
    /// - Returns: what was done; the damage that was met last.
    func compactAll(
        report: (RunCompaction.Outcome, _ left: Int) async throws -> Void
    ) async throws -> LinajeError? {
        let runs = try await backend.read { connection in
            try connection.all(
                "SELECT run, COUNT(*) FROM metric_segments GROUP BY run"
            ) { (run: try RunID($0.blob(0)), segments: Int(clamping: try $0.int(1))) }
        }
        var left = runs.reduce(0) { $0 + $1.segments }
        var damage: LinajeError?
        for (run, segments) in runs {
            var rest = segments
            do {
                while let outcome = try await step(run), outcome.segments > 0 {
                    rest -= outcome.segments
                    left -= outcome.segments
                    try await report(outcome, max(0, left))
                    try Task.checkCancellation()
                    guard outcome.hasMore else { break }
                }
            } catch let error as LinajeError where error.code == .corrupt {
                damage = error
            }
            left -= rest
        }
        return damage
    }

    // MARK: One run

    /// Takes what earlier lives of the daemon left for runs that have become quiet.
    private func look() async throws {
        let found = try await backend.read { connection in
            try connection.all("SELECT DISTINCT run FROM metric_segments") {
                try RunID($0.blob(0))
            }
        }
        let longAgo = ContinuousClock.now - policy.quietAfter
        state.withLock { state in
            for run in found where state.runs[run] == nil {
                state.runs[run] = Backlog(lastCommit: longAgo)
            }
        }
    }

    private func due() -> RunID? {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard state.pausedUntil.map({ $0 <= now }) ?? true else { return nil }
            return state.runs.first { _, backlog in
                backlog.segments >= policy.busySegments || backlog.points >= policy.busyPoints
                    || backlog.lastCommit + policy.quietAfter <= now
            }?.key
        }
    }

    private func compact(_ run: RunID) async throws {
        let taken = state.withLock { $0.runs.removeValue(forKey: run) }
        guard let taken, !state.withLock({ $0.damaged.contains(run) }) else { return }
        do {
            var hasMore = true
            while hasMore {
                let started = ContinuousClock.now
                guard let outcome = try await step(run) else {
                    // Somebody else is at this run: not again at once, and not when told to stop.
                    try await Task.sleep(for: policy.interval)
                    continue
                }
                hasMore = outcome.hasMore && outcome.segments > 0
                try await rest(after: started.duration(to: .now))
                guard !hasMore || !isPaused else { return putBack(run, taken) }
            }
        } catch let error as LinajeError where error.code == .corrupt {
            state.withLock { _ = $0.damaged.insert(run) }
            logger.error("a run cannot be compacted", metadata: ["error": "\(error)"])
        } catch {
            putBack(run, taken)
            throw error
        }
    }

    private var isPaused: Bool {
        state.withLock { state in state.pausedUntil.map { $0 > .now } ?? false }
    }

    /// Leaves the rest of a run for later.
    private func putBack(_ run: RunID, _ taken: Backlog) {
        state.withLock { state in
            var backlog = state.runs[run] ?? taken
            backlog.segments = max(backlog.segments, taken.segments)
            state.runs[run] = backlog
        }
    }

    private func step(_ run: RunID) async throws -> RunCompaction.Outcome? {
        let started = ContinuousClock.now
        let outcome = try await RunCompaction(backend: backend, run: run, policy: policy).step()
        if let outcome, outcome.segments > 0 {
            metrics.done(outcome, took: started.duration(to: .now))
        }
        return outcome
    }

    private func rest(after work: Duration) async throws {
        let now = ContinuousClock.now
        let isBusy = state.withLock { $0.lastCommit.map { now - $0 < .seconds(1) } ?? false }
        guard isBusy, policy.busyShare < 1 else {
            await Task.yield()
            return try Task.checkCancellation()
        }
        try await Task.sleep(for: work * (1 / policy.busyShare - 1))
    }
}
