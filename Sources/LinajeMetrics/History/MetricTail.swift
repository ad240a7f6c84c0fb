package import LinajeDomain
import Synchronization

/// Points of one series that have just become durable.
package struct MetricTailPiece: Sendable, Hashable {
    package var series: MetricSeries
    package var columns: MetricColumns
    /// Points of the tail that were dropped before these, because the reader was slow.
    package var missed: UInt64

    package init(series: MetricSeries, columns: MetricColumns, missed: UInt64) {
        self.series = series
        self.columns = columns
        self.missed = missed
    }
}

/// Who follows which run. Publishing never waits for a reader.
final class TailRegistry: Sendable {
    private let subscribers = Mutex<[RunID: [TailSubscriber]]>([:])
    private let hasAny = Atomic<Bool>(false)
    /// Points that wait for one reader at most.
    private let pointLimit: Int

    init(pointLimit: Int = 65_536) { self.pointLimit = pointLimit }

    /// The tail of a run from now on; empty `keys`: all metrics. For one reader.
    func stream(_ run: RunID, keys: Set<String>) -> AsyncStream<MetricTailPiece> {
        let subscriber = TailSubscriber(keys: keys, pointLimit: pointLimit)
        subscribers.withLock { $0[run, default: []].append(subscriber) }
        hasAny.store(true, ordering: .releasing)
        // The lease leaves the registry when the reader drops the stream.
        let lease = TailLease(subscriber) { [weak self] in self?.remove(subscriber, run: run) }
        return AsyncStream(
            unfolding: { await lease.subscriber.next() },
            onCancel: { subscriber.end() })
    }

    /// Hands the points of a segment to those who want them.
    func publish(_ segment: MetricSegment, run: RunID) {
        guard hasAny.load(ordering: .acquiring) else { return }
        let wanting = subscribers.withLock { $0[run] ?? [] }
        guard !wanting.isEmpty else { return }
        for (series, columns) in segment.bySeries() {
            for one in wanting where one.wants(series.key) { one.offer(series, columns) }
        }
    }

    /// Ends the tails of a run; what waits in them is still read.
    func end(_ run: RunID) {
        subscribers.withLock { $0.removeValue(forKey: run) ?? [] }.forEach { $0.end() }
    }

    /// Ends all tails.
    func endAll() {
        let all = subscribers.withLock { state in
            defer { state = [:] }
            return state.values.flatMap(\.self)
        }
        all.forEach { $0.end() }
    }

    /// How many tails are open.
    var count: Int { subscribers.withLock { $0.values.reduce(0) { $0 + $1.count } } }

    private func remove(_ subscriber: TailSubscriber, run: RunID) {
        subscribers.withLock { state in
            state[run]?.removeAll { $0 === subscriber }
            if state[run]?.isEmpty == true { state[run] = nil }
            hasAny.store(!state.isEmpty, ordering: .releasing)
        }
    }
}

/// Lives as long as the stream that reads the tail.
private final class TailLease: Sendable {
    let subscriber: TailSubscriber
    private let released: @Sendable () -> Void

    init(_ subscriber: TailSubscriber, released: @escaping @Sendable () -> Void) {
        self.subscriber = subscriber
        self.released = released
    }

    deinit { released() }
}

/// What waits for one reader, bounded in points; the oldest go first.
private final class TailSubscriber: Sendable {
    private struct State {
        var pieces: [MetricTailPiece] = []
        /// Pieces at the front that were taken already.
        var taken = 0
        var points = 0
        var missed: UInt64 = 0
        var isEnded = false
        var reader: CheckedContinuation<MetricTailPiece?, Never>?
    }

    private let keys: Set<String>
    private let pointLimit: Int
    private let state = Mutex(State())

    init(keys: Set<String>, pointLimit: Int) {
        self.keys = keys
        self.pointLimit = pointLimit
    }

    func wants(_ key: String) -> Bool { keys.isEmpty || keys.contains(key) }

    func offer(_ series: MetricSeries, _ columns: MetricColumns) {
        let piece = MetricTailPiece(series: series, columns: columns, missed: 0)
        let reader = state.withLock { state -> CheckedContinuation<MetricTailPiece?, Never>? in
            guard !state.isEnded else { return nil }
            if let reader = state.reader.take() { return reader }
            state.pieces.append(piece)
            state.points += columns.count
            while state.points > pointLimit, state.taken < state.pieces.count {
                let oldest = Self.takeFirst(&state)
                state.missed &+= UInt64(oldest.columns.count)
            }
            return nil
        }
        reader?.resume(returning: piece)
    }

    /// The next piece, waiting for it; `nil` once the tail has ended and all is read.
    func next() async -> MetricTailPiece? {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> MetricTailPiece?? in
                if state.taken < state.pieces.count {
                    var piece = Self.takeFirst(&state)
                    piece.missed = state.missed
                    state.missed = 0
                    return piece
                }
                if state.isEnded { return .some(nil) }
                state.reader = continuation
                return nil
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    func end() {
        let reader = state.withLock { state in
            state.isEnded = true
            return state.reader.take()
        }
        reader?.resume(returning: nil)
    }

    private static func takeFirst(_ state: inout State) -> MetricTailPiece {
        let piece = state.pieces[state.taken]
        state.taken += 1
        state.points -= piece.columns.count
        // Moved up now and then, which costs each piece a constant share.
        if state.taken * 2 > state.pieces.count {
            state.pieces.removeFirst(state.taken)
            state.taken = 0
        }
        return piece
    }
}

extension MetricSegment {
    /// The points of each series that has any, in the order of arrival.
    func bySeries() -> [(MetricSeries, MetricColumns)] {
        guard series.count > 1 else { return series.first.map { [($0, columns)] } ?? [] }
        var parts = [MetricColumns](repeating: MetricColumns(), count: series.count)
        for (point, index) in seriesIndex.enumerated() { parts[Int(index)].append(columns[point]) }
        return zip(series, parts).filter { $0.1.count > 0 }
    }
}
