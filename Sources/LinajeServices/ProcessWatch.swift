import Dispatch
import LinajeDomain
import LinajeHost
import Synchronization

/// Waits for the end of one process and finds out what can be known of it.
///
/// By a pidfd where the kernel has it, else by looking whether the process is still there each time
/// it is asked.
// Safe because a dispatch source may be used from any thread and everything else is behind a lock.
final class ProcessWatch: @unchecked Sendable {
    private struct State {
        var memory: MemoryWatch?
        var evidence = MemoryWatch.Evidence.none
        /// What a zombie said, before its parent reaped it.
        var end: ProcessEnd?
        var hasEnded = false
    }

    private let pid: Int32
    private let start: UInt64
    private let descriptor: ProcessDescriptor?
    private let source: (any DispatchSourceRead)?
    private let queue: DispatchQueue
    private let ended: @Sendable () -> Void
    private let state = Mutex(State())

    /// `nil` when the process is gone already, or its number belongs to another one by now.
    ///
    /// - Parameters:
    ///   - descriptor: the process itself; `nil`: it is looked for by number and start time.
    ///   - ended: called once, on `queue`.
    init?(
        pid: Int32, start: UInt64, descriptor known: ProcessDescriptor?, queue: DispatchQueue,
        ended: @escaping @Sendable () -> Void
    ) {
        descriptor = known ?? ProcessDescriptor(pid: pid)
        if known == nil {
            // A pidfd made of a number is of the right process only if that one is there behind it.
            guard let state = ProcessState(of: pid), state.start == start else { return nil }
            if descriptor == nil, state.isZombie { return nil }
        }
        self.pid = pid
        self.start = start
        self.queue = queue
        self.ended = ended
        source = descriptor.map {
            DispatchSource.makeReadSource(fileDescriptor: $0.number, queue: queue)
        }
        // The descriptor must stay open until the source has been cancelled.
        source?.setCancelHandler { [descriptor] in withExtendedLifetime(descriptor) {} }
        source?.setEventHandler { [weak self] in self?.noteEnd() }
        source?.resume()
        queue.async { [weak self] in
            guard pid > 0 else { return }
            let memory = MemoryWatch(pid: pid)
            self?.state.withLock { $0.memory = memory }
        }
    }

    /// Without a pidfd: looks whether the process is still there.
    func look() {
        guard descriptor == nil else { return }
        queue.async { [weak self] in
            guard let self else { return }
            let now = ProcessState(of: self.pid)
            if now?.start != self.start || now?.isZombie == true { self.noteEnd() }
        }
    }

    /// Counts kills for lack of memory anew, so that old ones are not taken for this process's.
    func followMemory() {
        queue.async { [weak self] in
            guard let self, self.pid > 0 else { return }
            self.state.withLock { state in
                guard !state.hasEnded else { return }
                state.memory?.follow(pid: self.pid)
            }
        }
    }

    func cancel() { source?.cancel() }

    /// What is known by now of how the process ended; `nil`: not how, perhaps not yet.
    func end() -> ProcessEnd? {
        if let end = state.withLock({ $0.end }) { return end }
        let end = descriptor?.end()
        if let end { state.withLock { $0.end = end } }
        return end
    }

    /// `end` and what the memory counters say of it, with the sentence for people.
    func explanation() -> (end: ProcessEnd, cause: String) {
        MemoryWatch.explain(end(), state.withLock { $0.evidence })
    }

    /// The process has just ended: what may be gone soon is looked at now.
    private func noteEnd() {
        source?.cancel()
        let memory = state.withLock { state -> MemoryWatch?? in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            return .some(state.memory)
        }
        guard let memory else { return }
        let evidence = memory?.evidence() ?? .none
        // A status of 0 may also mean that we must not know.
        let zombie = ProcessState(of: pid).flatMap { state in
            state.start == start && state.isZombie && state.waitStatus != 0
                ? ProcessEnd(waitStatus: state.waitStatus, source: .kernel) : nil
        }
        state.withLock { state in
            state.evidence = evidence
            state.end = zombie
        }
        ended()
    }
}
