import Dispatch
package import LinajeCatalog
package import LinajeDomain
package import LinajeHost
package import Logging
import ServiceLifecycle
import Synchronization

/// Notices that the owner of a run is gone and says so in the catalog (DESIGN, "What is honest
/// about a model").
///
/// A process is watched by a `ProcessWatch`, which also finds out how it ended as far as that can be
/// known; a heartbeat by a clock that stands still while the machine sleeps and while the daemon is
/// down, so that neither counts as silence.
package final class OwnerWatch: Service, Sendable {
    /// Called when a run has ended by itself, so that its tails end too.
    package typealias RunEnded = @Sendable (RunID) -> Void

    /// An owner that sends heartbeats.
    private struct Pulse {
        var timeout: Duration
        /// The moment silence is counted from.
        var since = SuspendingClock.now
        /// When it was last heard of, for people.
        var heardAt: Timestamp
        /// Whether the catalog knows `heardAt`.
        var isNoted = true
    }

    /// A run whose process is gone.
    private struct Orphan {
        var lease: Lease
        /// `nil` when the process was gone before anybody could watch it.
        var watch: ProcessWatch?
        /// What is known without the watch.
        var end: ProcessEnd?
        var since = SuspendingClock.now
    }

    private struct State {
        var processes: [RunID: (lease: Lease, watch: ProcessWatch)] = [:]
        var pulses: [RunID: Pulse] = [:]
        /// STALLED runs, which a sign of life resumes.
        var stalled: Set<RunID> = []
        var orphans: [RunID: Orphan] = [:]
    }

    private enum Event: Sendable {
        /// The lease says whose end it was: somebody else may own the run by now.
        case processEnded(RunID, Lease)
        /// A STALLED run gave a sign of life.
        case resumed(RunID)
        case tick
    }

    private let catalog: CatalogStore
    private let clock: any WallClock
    private let logger: Logger
    private let runEnded: RunEnded
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "linaje.owner-watch")
    private let metrics = RunMetrics()
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation

    package init(
        catalog: CatalogStore, clock: any WallClock, logger: Logger,
        runEnded: @escaping RunEnded
    ) {
        self.catalog = catalog
        self.clock = clock
        self.logger = logger
        self.runEnded = runEnded
        (events, post) = AsyncStream<Event>.makeStream()
    }

    /// Runs whose owner is watched.
    package var watchedCount: Int {
        state.withLock { $0.processes.count + $0.pulses.count }
    }

    /// Begins to watch the owner of a run; replaces an earlier lease of the same run.
    ///
    /// - Parameter descriptor: the process of a process lease; `nil`: it is looked for by number and
    ///   start time.
    package func watch(_ run: RunID, _ lease: Lease, _ descriptor: ProcessDescriptor? = nil) {
        forget(run)
        switch lease {
        case .detached: break
        case .heartbeat(let timeout):
            state.withLock { $0.pulses[run] = Pulse(timeout: timeout, heardAt: clock.now()) }
        case .process(let pid, let start, let boot, _):
            guard boot.isEmpty || boot == ProcessIdentity.boot || ProcessIdentity.boot.isEmpty
            else {
                let end = ProcessEnd(reason: .machineRestarted, source: .kernel)
                state.withLock { $0.orphans[run] = Orphan(lease: lease, end: end) }
                return
            }
            let watch = ProcessWatch(pid: pid, start: start, descriptor: descriptor, queue: queue) {
                [post] in post.yield(.processEnded(run, lease))
            }
            state.withLock { state in
                if let watch {
                    state.processes[run] = (lease, watch)
                } else {
                    state.orphans[run] = Orphan(lease: lease)
                }
            }
        }
    }

    /// Stops watching: the run has ended or nobody owns it any more.
    package func forget(_ run: RunID) {
        let watch = state.withLock { state in
            state.pulses[run] = nil
            state.stalled.remove(run)
            let orphan = state.orphans.removeValue(forKey: run)
            return state.processes.removeValue(forKey: run)?.watch ?? orphan?.watch
        }
        watch?.cancel()
    }

    /// The catalog has noted a heartbeat of a run with this lease: one that was STALLED, and so no
    /// longer watched, is watched again.
    package func heartbeat(_ run: RunID, _ lease: Lease) {
        guard case .heartbeat(let timeout) = lease else { return }
        state.withLock { state in
            state.stalled.remove(run)
            state.pulses[run] = Pulse(timeout: timeout, heardAt: clock.now())
        }
    }

    /// Points of a run have come: its owner is alive. A STALLED run is RUNNING again soon.
    package func heardPoints(of run: RunID) {
        let resumes = state.withLock { state in
            guard let timeout = state.pulses[run]?.timeout else {
                return state.stalled.remove(run) != nil
            }
            state.pulses[run] = Pulse(timeout: timeout, heardAt: clock.now(), isNoted: false)
            return false
        }
        if resumes { post.yield(.resumed(run)) }
    }

    /// When the owner of a run with a heartbeat lease was last heard of; `nil` for any other.
    package func lastHeard(_ run: RunID) -> Timestamp? {
        state.withLock { $0.pulses[run]?.heardAt }
    }

    package func run() async throws {
        for owned in try await catalog.read({ try $0.runsWithLiveLease() })
        where !isKnown(owned.id) {
            await resume(owned)
        }
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250))
        timer.setEventHandler { [post] in post.yield(.tick) }
        timer.resume()
        defer { timer.cancel() }
        var ticks = 0
        await withGracefulShutdownHandler {
            for await event in events {
                switch event {
                case .processEnded(let run, let lease): orphan(run, lease)
                case .resumed(let run): await resumeStalled(run)
                case .tick:
                    ticks += 1
                    let isTenth = ticks.isMultiple(of: 40)
                    for (_, watch) in state.withLock({ Array($0.processes.values) }) {
                        watch.look()
                        if isTenth { watch.followMemory() }
                    }
                    await endOrphans()
                    await stallSilentRuns()
                    if isTenth { await noteHeard() }
                }
            }
        } onGracefulShutdown: { [post] in
            post.finish()
        }
        await noteHeard()
    }

    /// Who changes runs here.
    static let daemon = Principal(name: "linajed", role: .admin, door: "daemon")

    /// A process may end right after it has said that its run is finished, with the word still on
    /// its way: the run is looked at again after this time before anything is concluded.
    private static let grace = Duration.milliseconds(500)
    /// The kernel tells how a process ended once its parent has reaped it; after this time nobody
    /// waits for that any more.
    private static let patience = Duration.milliseconds(1_000)

    /// Watches the owner of a run that was there before the daemon. It gets a full timeout: the time
    /// that the daemon was down is not its silence.
    private func resume(_ owned: LeasedRun) async {
        switch owned.lease {
        case .heartbeat(let timeout):
            state.withLock { state in
                if owned.status == .stalled {
                    state.stalled.insert(owned.id)
                } else {
                    state.pulses[owned.id] = Pulse(timeout: timeout, heardAt: owned.lastHeartbeat)
                }
            }
        case .process(let pid, let start, _, _) where pid == 0 || start == 0:
            // Only the connection that is gone knew this process: it must speak for itself.
            let lease = Lease.heartbeat(timeout: Limits.heartbeatTimeout)
            do {
                let isTaken = try await catalog.change(.untracked(by: Self.daemon)) { transaction in
                    guard try transaction.reader.runStatus(owned.id)?.lease == owned.lease else {
                        return false
                    }
                    _ = try transaction.attach(owned.id, lease)
                    return true
                }
                if isTaken { watch(owned.id, lease) }
            } catch {
                logger.error(
                    "cannot watch the owner of a run: \(error)", metadata: ["run": "\(owned.id)"])
            }
        case .process, .detached: watch(owned.id, owned.lease)
        }
    }

    /// Clients come as soon as the door is open: who took a run since then is known better than what
    /// the catalog remembers of its owner.
    private func isKnown(_ run: RunID) -> Bool {
        state.withLock {
            $0.processes[run] != nil || $0.pulses[run] != nil || $0.orphans[run] != nil
        }
    }

    private func orphan(_ run: RunID, _ lease: Lease) {
        state.withLock { state in
            guard let owner = state.processes[run], owner.lease == lease else { return }
            state.processes[run] = nil
            state.orphans[run] = Orphan(lease: lease, watch: owner.watch)
        }
    }

    private func endOrphans() async {
        let due = state.withLock { state in
            state.orphans.filter { $0.value.since.duration(to: .now) >= Self.grace }
        }
        for (run, orphan) in due {
            guard let watch = orphan.watch else {
                let end = orphan.end ?? ProcessEnd()
                var cause = end.cause
                if end.reason == .unknown, case .process(_, _, _, supervises: true) = orphan.lease {
                    cause = Self.unsupervised(end, cause)
                }
                await self.end(run, of: orphan.lease, end, cause: cause)
                continue
            }
            guard watch.end() != nil || orphan.since.duration(to: .now) >= Self.patience else {
                continue
            }
            let (end, cause) = watch.explanation()
            if case .process(_, _, _, supervises: true) = orphan.lease {
                await self.end(
                    run, of: orphan.lease, ProcessEnd(), cause: Self.unsupervised(end, cause))
                continue
            }
            // A client ends its runs when its process leaves in order: this one did not.
            let isSilent = end.reason == .exited && end.exitCode == 0
            await self.end(
                run, of: orphan.lease, end,
                cause: isSilent ? "\(cause) without ending its run" : cause)
        }
    }

    /// What became of a `linaje run`, and so of its command, for people.
    private static func unsupervised(_ end: ProcessEnd, _ cause: String) -> String {
        let supervisor =
            switch end.reason {
            case .signaled: "linaje run was \(cause)"
            case .exited: "linaje run \(cause)"
            default: "linaje run is gone: \(cause)"
            }
        return "\(supervisor); how its command ended is not known"
    }

    private func stallSilentRuns() async {
        let silent = state.withLock { state in
            state.pulses.filter { $0.value.since.duration(to: .now) > $0.value.timeout }
        }
        for (run, pulse) in silent {
            do {
                let (stalled, isThere) = try await catalog.change(.untracked(by: Self.daemon)) {
                    let stalled = try $0.stall(run, heardAt: pulse.heardAt)
                    return (stalled, try stalled || $0.reader.runStatus(run) != nil)
                }
                guard isThere else {
                    // Deleted for good.
                    forget(run)
                    continue
                }
                let isHeard = state.withLock { state in
                    // Heard meanwhile, by the catalog or by us: the clock starts anew.
                    guard let now = state.pulses[run] else { return false }
                    guard stalled, now.heardAt == pulse.heardAt else {
                        state.pulses[run]?.since = .now
                        return true
                    }
                    state.pulses[run] = nil
                    state.stalled.insert(run)
                    return false
                }
                guard stalled else { continue }
                metrics.stalled()
                logger.notice("run stalled: no heartbeat", metadata: ["run": "\(run)"])
                // Points came while the catalog wrote that none do.
                if isHeard { await resumeStalled(run) }
            } catch {
                logger.error("cannot mark run as stalled: \(error)", metadata: ["run": "\(run)"])
            }
        }
    }

    private func resumeStalled(_ run: RunID) async {
        do {
            let lease = try await catalog.change(.untracked(by: Self.daemon)) { transaction in
                guard let current = try transaction.reader.runStatus(run), current.isOpen else {
                    return Lease?.none
                }
                try transaction.heartbeat(run)
                return current.lease
            }
            if let lease { heartbeat(run, lease) }
        } catch {
            logger.error("cannot resume stalled run yet: \(error)", metadata: ["run": "\(run)"])
            state.withLock { _ = $0.stalled.insert(run) }
        }
    }

    /// Writes down when owners were last heard of by their points, so that a restart knows it.
    private func noteHeard() async {
        let heard = state.withLock { state in
            state.pulses.filter { !$0.value.isNoted }.mapValues(\.heardAt)
        }
        guard !heard.isEmpty else { return }
        do {
            try await catalog.change(.untracked(by: Self.daemon)) { try $0.noteHeard(heard) }
            state.withLock { state in
                for (run, time) in heard where state.pulses[run]?.heardAt == time {
                    state.pulses[run]?.isNoted = true
                }
            }
        } catch {
            logger.error("cannot note when owners were heard of: \(error)")
        }
    }

    /// Ends a run whose owner is gone, unless it has ended, or somebody else owns it by now. When
    /// the catalog cannot be written, it is tried again at the next tick.
    private func end(_ run: RunID, of lease: Lease, _ end: ProcessEnd, cause: String) async {
        do {
            let ended = try await catalog.change(.untracked(by: Self.daemon)) { transaction in
                guard let current = try transaction.reader.runStatus(run),
                    !current.status.isTerminal, current.lease == lease
                else { return false }
                try transaction.endOrphan(run, cause: cause, end)
                return true
            }
            state.withLock { state in
                if state.orphans[run]?.lease == lease { state.orphans[run] = nil }
            }
            guard ended else { return }
            RunMetrics.ended(.failed, by: .daemon)
            forget(run)
            runEnded(run)
            logger.notice("run ended: \(cause)", metadata: ["run": "\(run)"])
        } catch {
            let error = (error as? LinajeError)?.code.name ?? "internal"
            logger.error("cannot end run yet: \(error)", metadata: ["run": "\(run)"])
            state.withLock { $0.orphans[run]?.since = .now + .seconds(10) }
        }
    }
}
