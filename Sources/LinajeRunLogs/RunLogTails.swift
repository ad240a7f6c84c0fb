import LinajeDomain
import Synchronization

/// Who waits for more of which log. Waking never waits for a reader, and nothing is kept for one: it
/// reads what is stored.
final class RunLogTails: Sendable {
    private struct State {
        var next: UInt64 = 0
        var readers: [RunID: [UInt64: AsyncStream<Void>.Continuation]] = [:]
    }

    private let state = Mutex(State())

    /// Wakes its reader at first and after each change. For one reader.
    func stream(_ run: RunID) -> AsyncStream<Void> {
        let (stream, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.next += 1
            state.readers[run, default: [:]][state.next] = wake
            return state.next
        }
        wake.onTermination = { [weak self] _ in self?.remove(number, run) }
        wake.yield()
        return stream
    }

    func wake(_ run: RunID) {
        for reader in state.withLock({ $0.readers[run]?.values.map(\.self) ?? [] }) {
            reader.yield()
        }
    }

    /// Ends the tails of a run.
    func end(_ run: RunID) {
        let readers = state.withLock { $0.readers.removeValue(forKey: run) ?? [:] }
        for reader in readers.values { reader.finish() }
    }

    func endAll() {
        let all = state.withLock { state in
            defer { state.readers = [:] }
            return state.readers.values.flatMap(\.values)
        }
        for reader in all { reader.finish() }
    }

    /// How many tails are open.
    var count: Int { state.withLock { $0.readers.values.reduce(0) { $0 + $1.count } } }

    private func remove(_ number: UInt64, _ run: RunID) {
        state.withLock { state in
            state.readers[run]?[number] = nil
            if state.readers[run]?.isEmpty == true { state.readers[run] = nil }
        }
    }
}
