import DequeModule
import Synchronization

/// Lets a few fetches at a time run and the others wait in the order they came, so that thousands of
/// reads which begin together hold the bytes of a few chunks, not of thousands.
final class FetchTurns: Sendable {
    private struct State {
        var free: Int
        /// First come, first served.
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
    }

    private let state: Mutex<State>

    /// - Parameter width: how many run at a time, at least 1.
    init(width: Int) { state = Mutex(State(free: max(1, width))) }

    /// Runs `body` when it is its turn. Whoever waits for its turn waits it out even when it is
    /// cancelled: turns are short.
    func take<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        await begin()
        defer { end() }
        return try await body()
    }

    private func begin() async {
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isNow { continuation.resume() }
        }
    }

    private func end() {
        let following = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty { state.free += 1 }
            return state.waiting.popFirst()
        }
        following?.resume()
    }
}
