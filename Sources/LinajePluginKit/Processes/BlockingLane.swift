import Dispatch
import LinajeDomain
import LinajeHost
import Synchronization

/// A thread of its own on which blocking calls run one after the other, in the order in which they
/// were handed over, so that none of them holds a thread of Swift's cooperative pool.
///
/// The thread starts with the first call and ends when the lane is released.
final class BlockingLane: Sendable {
    typealias Job = @Sendable () -> Void

    private let core = Core()

    deinit { core.close() }

    /// Runs `body` on the lane and waits for it.
    func run<Value: Sendable>(
        _ body: @Sendable @escaping () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let accepted = core.add { continuation.resume(with: Result { try body() }) }
            if !accepted { continuation.resume(throwing: Self.noThread) }
        }
    }

    /// Runs `body` on the lane after everything handed over before; does not wait.
    ///
    /// - Returns: false when there is no thread to run it.
    func post(_ body: @escaping Job) -> Bool { core.add(body) }

    private static let noThread = LinajeError(
        .overloaded, "no thread can be started for a plugin; try again later")

    /// What the thread holds: it must not keep the lane itself alive.
    private final class Core: Sendable {
        private struct State {
            var jobs: [Job] = []
            var isRunning = false
            var isClosed = false
        }

        private let state = Mutex(State())
        private let wake = DispatchSemaphore(value: 0)

        func add(_ job: @escaping Job) -> Bool {
            let accepted = state.withLock { state in
                guard !state.isClosed else { return false }
                if !state.isRunning {
                    guard OwnThread.start({ [self] in loop() }) else { return false }
                    state.isRunning = true
                }
                state.jobs.append(job)
                return true
            }
            if accepted { wake.signal() }
            return accepted
        }

        func close() {
            state.withLock { $0.isClosed = true }
            wake.signal()
        }

        private func loop() {
            while true {
                wake.wait()
                let (job, isOver) = state.withLock { state -> (Job?, Bool) in
                    if !state.jobs.isEmpty { return (state.jobs.removeFirst(), false) }
                    return (nil, state.isClosed)
                }
                if let job { job() } else if isOver { return }
            }
        }
    }
}
