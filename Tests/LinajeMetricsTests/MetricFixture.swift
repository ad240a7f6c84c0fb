import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Logging
import SQLiteBackend
import Synchronization

@testable import LinajeMetrics

/// A clock that stands still.
struct FixedClock: WallClock {
    func now() -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000) }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Opens a store on real files, runs it while `body` does, and stops it in order.
@discardableResult
func withStore<Value: Sendable>(
    _ path: String, queueBytes: Int = Limits.ingestQueueBytes,
    decorate: (any SQLBackend) -> any SQLBackend = { $0 },
    _ body: (MetricStore) async throws -> Value
) async throws -> Value {
    let sqlite = try SQLiteBackend(path: path)
    let store = MetricStore(
        backend: decorate(sqlite), clock: FixedClock(), logger: quietLogger(),
        queueBytes: queueBytes)
    try await store.prepare()
    let value = try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await store.run() }
        do {
            let value = try await body(store)
            group.cancelAll()
            try await group.waitForAll()
            return value
        } catch {
            group.cancelAll()
            throw error
        }
    }
    try await sqlite.close()
    return value
}

func quietLogger() -> Logger {
    Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Records what a writer's owner is told, and lets a test wait for it.
final class WriterLog: Sendable {
    struct Seen {
        var progress: [MetricWriter.Progress] = []
        var failures: [LinajeError] = []
        var waiters: [(through: UInt64, CheckedContinuation<Bool, Never>)] = []
    }
    private let seen = Mutex(Seen())

    var durable: UInt64 { seen.withLock { $0.progress.map(\.durableThrough).max() ?? 0 } }
    var released: Int { seen.withLock { $0.progress.map(\.releasedBytes).reduce(0, +) } }
    var failures: [LinajeError] { seen.withLock { $0.failures } }
    var progressCount: Int { seen.withLock { $0.progress.count } }

    func durable(_ progress: MetricWriter.Progress) {
        let ready = seen.withLock { seen in
            seen.progress.append(progress)
            let ready = seen.waiters.filter { $0.through <= progress.durableThrough }
            seen.waiters.removeAll { $0.through <= progress.durableThrough }
            return ready
        }
        ready.forEach { $0.1.resume(returning: true) }
    }

    func failed(_ error: LinajeError) {
        let waiters = seen.withLock { seen in
            seen.failures.append(error)
            defer { seen.waiters = [] }
            return seen.waiters
        }
        waiters.forEach { $0.1.resume(returning: false) }
    }

    /// Waits until batches through this number are durable; false when the writer failed instead.
    @discardableResult
    func wait(through: UInt64) async -> Bool {
        await withCheckedContinuation { continuation in
            let now = seen.withLock { seen -> Bool? in
                if seen.progress.contains(where: { $0.durableThrough >= through }) { return true }
                if !seen.failures.isEmpty { return false }
                seen.waiters.append((through, continuation))
                return nil
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    /// Waits until the writer has failed.
    func waitForFailure() async { await wait(through: .max) }
}

extension MetricStore {
    func open(
        _ run: RunID, _ writer: WriterID, _ log: WriterLog = WriterLog()
    ) async throws -> MetricWriter {
        try await openWriter(
            run: run, writer: writer, onDurable: { log.durable($0) },
            onFailure: { log.failed($0) })
    }

    /// All points of a query, by series, with the pieces joined.
    func points(
        _ run: RunID, _ query: MetricQuery = MetricQuery()
    ) async throws -> [(MetricSeries, MetricColumns)] {
        var out: [(MetricSeries, MetricColumns)] = []
        for try await (series, columns) in history(run, query) {
            if let last = out.indices.last, out[last].0 == series {
                out[last].1.steps += columns.steps
                out[last].1.times += columns.times
                out[last].1.values += columns.values
            } else {
                out.append((series, columns))
            }
        }
        return out
    }
}

extension MetricWriter {
    /// Waits until all that was submitted is durable.
    func drain() async {
        await withCheckedContinuation { continuation in finish { continuation.resume() } }
    }
}

/// A batch of one series.
func batch(
    _ sequence: UInt64, _ key: String = "loss", steps: [Int64], values: [Double]? = nil,
    time: Int64 = 1_700_000_000_000_000
) throws -> MetricBatch {
    try MetricBatch(
        sequence: sequence, series: [MetricSeries(key: key)], seriesIndex: [],
        columns: MetricColumns(
            steps: steps, times: steps.map { time &+ $0 },
            values: values ?? steps.map { Double($0) / 3 }))
}

/// A backend that fails writes when told to.
final class FailingBackend: ForwardingSQLBackend {
    let inner: any SQLBackend
    private let writes = Atomic<Int>(0)
    private let failure: @Sendable (Int) -> LinajeError?
    /// Whether the failing transaction is committed all the same: a failed fsync may have worked.
    private let commitsAnyway: Bool

    /// - Parameter failure: the error of the n-th write from 1, after `arm`.
    init(
        _ inner: any SQLBackend, commitsAnyway: Bool = false,
        failure: @escaping @Sendable (Int) -> LinajeError?
    ) {
        self.inner = inner
        self.failure = failure
        self.commitsAnyway = commitsAnyway
    }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let number = writes.add(1, ordering: .relaxed).newValue
        guard let error = failure(number) else { return try await inner.write(body) }
        if commitsAnyway {
            _ = try await inner.write(body)
            throw error
        }
        return try await inner.write { connection in
            _ = try body(connection)
            throw error
        }
    }
}

extension CompactionPolicy {
    /// Nothing is compacted by itself.
    static var never: CompactionPolicy {
        var policy = CompactionPolicy()
        policy.isAutomatic = false
        return policy
    }
}

extension RunCompaction {
    /// A step over a few segments, worth it or not, into chunks so small that series have many.
    static func small(_ backend: any SQLBackend, _ run: RunID, segments: Int) -> RunCompaction {
        var policy = CompactionPolicy.never
        policy.manySegments = 0
        return RunCompaction(
            backend: backend, run: run, policy: policy, segmentLimit: segments, chunkPoints: 16)
    }
}
