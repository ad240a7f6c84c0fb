import Dispatch
import Synchronization

/// Threads for calls that block on a disk, so that the cooperative pool never does.
///
/// At most `width` run at a time, in the order in which they came.
final class StorageThreads: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var running = 0
    }

    private let width: Int
    private let queue = DispatchQueue(label: "linaje.storage.filesystem", attributes: .concurrent)
    private let state = Mutex(State())

    init(width: Int) { self.width = width }

    /// Runs `body` on one of the threads and gives its result.
    func run<Value: Sendable>(_ body: @Sendable @escaping () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Result { try body() }) }
        }
    }

    /// Runs `job` some time later.
    func submit(_ job: @Sendable @escaping () -> Void) {
        let start = state.withLock { state -> Bool in
            state.jobs.append(job)
            guard state.running < width else { return false }
            state.running += 1
            return true
        }
        if start { queue.async { self.drain() } }
    }

    private func drain() {
        while let job = next() { job() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.jobs.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.jobs.removeFirst()
        }
    }
}
