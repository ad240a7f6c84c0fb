import Glibc
import LinajeDomain
import LinajeHost
import Synchronization

/// A command that we started: signals are passed on to it, its end is waited for on a thread.
final class SupervisedCommand: Sendable {
    private struct State {
        var hasEnded = false
        /// The last signal that asked the command to stop.
        var stop: Int32?
        var memory: MemoryWatch
        var outcome: CommandOutcome?
        var waiter: CheckedContinuation<CommandOutcome, Never>?
    }

    private static let forwarded = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]
    private static let stopping: Set<Int32> = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    private let pid: Int32
    private let startedAt = ContinuousClock.now
    private let relay: OutputRelay?
    private let outputRelay: OutputRelay?
    private let state: Mutex<State>

    /// Starts it. Standard input is ours, and without a log standard output, too.
    ///
    /// - Parameter log: what gets a copy of all that the command writes.
    init(
        _ words: [String], environment: [String], log: CommandLog?
    ) throws(SpawnedProcess.Failure) {
        // Before the command is there: a signal that comes now waits for it.
        let caught = CaughtSignals(Self.forwarded)
        let relay = OutputRelay(STDERR_FILENO, bell: log?.bell)
        let outputRelay = log.flatMap { OutputRelay(STDOUT_FILENO, bell: $0.bell) }
        self.relay = relay
        self.outputRelay = outputRelay
        defer {
            relay?.handedOver()
            outputRelay?.handedOver()
        }
        // The command begins in our cgroup. Counted once it runs, the kill of one that eats everything
        // at once would be in the first count already.
        let memory = MemoryWatch(pid: getpid())
        pid = try SpawnedProcess.start(
            words, environment: environment, output: outputRelay?.end, errors: relay?.end)
        log?.take(
            from: [(LogStream.stdout, outputRelay), (.stderr, relay)].compactMap { stream, relay in
                relay.map { (stream, $0) }
            })
        state = Mutex(State(memory: memory))
        if let caught { _ = OwnThread.start { [self] in pass(caught) } }
        guard OwnThread.start({ [self] in waitForEnd() }) else {
            // Without a thread it is waited for here; nothing else is left to be done meanwhile.
            waitForEnd()
            return
        }
    }

    /// How it ended; waits for that.
    func outcome() async -> CommandOutcome {
        // A child of this call, which looks whether the command has moved into a cgroup of its own.
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followMemoryGroup() }
            let outcome = await withCheckedContinuation { continuation in
                let known = state.withLock { state -> CommandOutcome? in
                    if state.outcome == nil { state.waiter = continuation }
                    return state.outcome
                }
                if let known { continuation.resume(returning: known) }
            }
            group.cancelAll()
            return outcome
        }
    }

    private func followMemoryGroup() async {
        var pause = Duration.milliseconds(50)
        while (try? await Task.sleep(for: pause)) != nil {
            pause = min(pause * 2, .seconds(5))
            state.withLock { state in
                guard !state.hasEnded else { return }
                state.memory.follow(pid: pid)
            }
        }
    }

    /// A terminal sends its signals to the whole foreground group, the command too; those that were
    /// sent to us alone are passed on.
    private func pass(_ signals: CaughtSignals) {
        while let caught = signals.next() {
            state.withLock { state in
                // Once it has ended its number may be somebody else's.
                guard !state.hasEnded else { return }
                if Self.stopping.contains(caught.number) { state.stop = caught.number }
                if !caught.isFromTerminal { kill(pid, caught.number) }
            }
        }
    }

    private func waitForEnd() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let duration = startedAt.duration(to: .now)
        let endedAt = SystemClock().now()
        let (evidence, stop) = state.withLock { state in
            state.hasEnded = true
            return (state.memory.evidence(), state.stop)
        }
        var status: Int32 = 0
        var usage = rusage()
        var reaped = wait4(pid, &status, 0, &usage)
        while reaped < 0, errno == EINTR { reaped = wait4(pid, &status, 0, &usage) }
        var end = reaped == pid ? ProcessEnd(waitStatus: status, source: .parent) : ProcessEnd()
        // ru_maxrss is in KiB: of the command itself or the largest process it has waited for.
        end.peakMemory = UInt64(clamping: usage.ru_maxrss) &* 1_024
        end.durationMicroseconds = UInt64(clamping: Int64(duration / .microseconds(1)))
        end.userMicroseconds = Self.microseconds(usage.ru_utime)
        end.systemMicroseconds = Self.microseconds(usage.ru_stime)
        if let relay {
            let (tail, isCut) = relay.finish()
            end.lastErrors = LastLines.of(tail, isCut: isCut)
        }
        _ = outputRelay?.finish()
        let outcome = CommandOutcome(end, evidence, stop: stop, endedAt: endedAt)
        let waiter = state.withLock { state in
            state.outcome = outcome
            return state.waiter.take()
        }
        waiter?.resume(returning: outcome)
    }

    private static func microseconds(_ time: timeval) -> UInt64 {
        UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_usec)
    }
}
