import LinajeDomain
import Synchronization

/// Who is about to write to, or begins to read, which run: between the moment somebody looked whether
/// the run is there and the moment what they opened can be ended.
///
/// Deleting a run for good takes it out of the catalog first and then waits here: whoever found the
/// run has finished by then, and whoever comes later does not find it.
final class RunUses: Sendable {
    private struct State {
        var counts: [RunID: Int] = [:]
        var waiting: [RunID: [CheckedContinuation<Void, Never>]] = [:]
    }

    private let state = Mutex(State())

    /// Does something short with a run.
    func with<Value: Sendable>(
        _ run: RunID, _ body: () async throws -> Value
    ) async throws -> Value {
        state.withLock { $0.counts[run, default: 0] += 1 }
        defer { leave(run) }
        return try await body()
    }

    /// Returns once nobody uses the run who does now.
    func drained(_ run: RunID) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.counts[run] != nil else { return true }
                state.waiting[run, default: []].append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func leave(_ run: RunID) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            let left = (state.counts[run] ?? 1) - 1
            guard left == 0 else {
                state.counts[run] = left
                return []
            }
            state.counts[run] = nil
            return state.waiting.removeValue(forKey: run) ?? []
        }
        waiting.forEach { $0.resume() }
    }
}
