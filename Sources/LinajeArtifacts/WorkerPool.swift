import Dispatch
import Synchronization

/// Threads for work that would hold up the cooperative pool: hashing, compressing, decoding.
///
/// At most `width` jobs run at a time, in the order in which they came. The threads are
/// Dispatch's and are given back when there is nothing to do.
package final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// Index of the next job, so that taking one costs no move of the others.
        var next = 0
        var running = 0
    }

    /// How many jobs may run at a time.
    package let width: Int
    private let queue: DispatchQueue
    private let state = Mutex(State())

    package init(label: String, width: Int) {
        precondition(width > 0, "a worker pool needs a thread")
        self.width = width
        self.queue = DispatchQueue(label: label, attributes: .concurrent)
    }

    /// Runs `body` on one of the threads and gives its result.
    package func run<Value: Sendable>(
        _ body: @Sendable @escaping () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Result { try body() }) }
        }
    }

    /// Runs `body` on two halves at once where there is enough for two; gives both results, in order.
    package func halves<Element: Sendable, Value: Sendable>(
        _ elements: [Element], _ body: @Sendable @escaping (ArraySlice<Element>) throws -> [Value]
    ) async throws -> [Value] {
        let half = elements.count / 2
        guard half > 0 else { return try await run { try body(elements[...]) } }
        async let front = run { try body(elements[..<half]) }
        async let back = run { try body(elements[half...]) }
        return try await front + back
    }

    private func submit(_ job: @Sendable @escaping () -> Void) {
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
            guard state.next < state.jobs.count else {
                state.jobs.removeAll(keepingCapacity: state.jobs.count < 1_024)
                state.next = 0
                state.running -= 1
                return nil
            }
            let job = state.jobs[state.next]
            state.next += 1
            if state.next >= 1_024 {
                state.jobs.removeFirst(state.next)
                state.next = 0
            }
            return job
        }
    }
}
