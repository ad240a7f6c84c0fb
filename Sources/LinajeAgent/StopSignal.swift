import Synchronization

/// Asks the agent to end in order: what it has read is sent, nothing new is begun.
package final class StopSignal: Sendable {
    private struct State {
        var isRequested = false
        var next = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var isRequested: Bool { state.withLock { $0.isRequested } }

    package func request() {
        let waiting = state.withLock { state in
            state.isRequested = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for a time, or until the end is asked for or the task is cancelled.
    package func pause(for time: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: time) }
            group.addTask { await self.requested() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits until the end is asked for or the task is cancelled.
    package func wait() async { await requested() }

    private func requested() async {
        let token = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard !state.isRequested, !Task.isCancelled else { return true }
                    state.waiting[token] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: token) }?.resume()
        }
    }
}
