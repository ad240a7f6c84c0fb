import CLinux
import Dispatch
import Glibc
package import LinajeCatalog
package import LinajeDomain
package import Logging
import ServiceLifecycle
import Synchronization

/// Notices that the owner of a run is gone and says so in the catalog (DESIGN, "What is honest
/// about a model").
///
/// A process is watched by a pidfd checked against its start time; a heartbeat by the clock. Which
/// signal or exit code ended a process is not known here: "process ended, cause unknown".
package final class OwnerWatch: Service, Sendable {
    /// Called when a run has ended by itself, so that its tails end too.
    package typealias RunEnded = @Sendable (RunID) -> Void

    private struct State {
        var processes: [RunID: ProcessWatch] = [:]
        var heartbeats: [RunID: (timeout: Duration, heard: ContinuousClock.Instant)] = [:]
        /// Runs whose process is gone, and since when.
        var orphans: [RunID: (lease: Lease, since: ContinuousClock.Instant)] = [:]
    }

    private enum Event: Sendable {
        /// The lease says whose end it was: somebody else may own the run by now.
        case processEnded(RunID, Lease)
        case tick
    }

    private let catalog: CatalogStore
    private let logger: Logger
    private let runEnded: RunEnded
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "linaje.owner-watch")
    private let metrics = RunMetrics()
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation

    package init(catalog: CatalogStore, logger: Logger, runEnded: @escaping RunEnded) {
        self.catalog = catalog
        self.logger = logger
        self.runEnded = runEnded
        (events, post) = AsyncStream<Event>.makeStream()
    }

    /// Runs whose owner is watched.
    package var watchedCount: Int {
        state.withLock { $0.processes.count + $0.heartbeats.count }
    }

    /// Begins to watch the owner of a run; replaces an earlier lease of the same run.
    package func watch(_ run: RunID, _ lease: Lease) {
        forget(run)
        switch lease {
        case .detached: break
        case .heartbeat(let timeout):
            state.withLock { $0.heartbeats[run] = (timeout, .now) }
        case .process(let pid, let start):
            let watch = ProcessWatch(pid: pid, start: start, queue: queue) { [post] in
                post.yield(.processEnded(run, lease))
            }
            guard let watch else {
                post.yield(.processEnded(run, lease))
                return
            }
            state.withLock { $0.processes[run] = watch }
        }
    }

    /// Stops watching: the run has ended or nobody owns it any more.
    package func forget(_ run: RunID) {
        let watch = state.withLock { state in
            state.heartbeats[run] = nil
            state.orphans[run] = nil
            return state.processes.removeValue(forKey: run)
        }
        watch?.cancel()
    }

    /// The owner of a run gave a sign of life. With the lease of a run that was STALLED, and so no
    /// longer watched, it is watched again.
    package func heard(_ run: RunID, _ lease: Lease? = nil) {
        state.withLock { state in
            if state.heartbeats[run] != nil {
                state.heartbeats[run]?.heard = .now
            } else if case .heartbeat(let timeout) = lease {
                state.heartbeats[run] = (timeout, .now)
            }
        }
    }

    package func run() async throws {
        for owned in try await catalog.read({ try $0.runsWithLiveLease() }) {
            watch(owned.id, owned.lease)
        }
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250))
        timer.setEventHandler { [post] in post.yield(.tick) }
        timer.resume()
        defer { timer.cancel() }
        await withGracefulShutdownHandler {
            for await event in events {
                switch event {
                case .processEnded(let run, let lease):
                    state.withLock { $0.orphans[run] = (lease, .now) }
                case .tick:
                    await endOrphans()
                    await stallSilentRuns()
                }
            }
        } onGracefulShutdown: { [post] in
            post.finish()
        }
    }

    /// Who changes runs here.
    static let daemon = Principal(name: "linajed", role: .admin, door: "daemon")

    /// A process may end right after it has said that its run is finished, with the word still on
    /// its way: the run is looked at again after this time before anything is concluded.
    private static let grace = Duration.milliseconds(500)

    private func endOrphans() async {
        let due = state.withLock { state in
            state.orphans.filter { $0.value.since.duration(to: .now) >= Self.grace }
        }
        for (run, orphan) in due {
            await end(run, of: orphan.lease, cause: "process ended, cause unknown")
        }
    }

    private func stallSilentRuns() async {
        let silent = state.withLock { state in
            state.heartbeats.filter { $0.value.heard.duration(to: .now) > $0.value.timeout }
                .map(\.key)
        }
        for run in silent {
            do {
                let stalled = try await catalog.change(.untracked(by: Self.daemon)) {
                    try $0.stall(run)
                }
                guard stalled else {
                    // The catalog has heard of the owner later than this watch, or the run ended.
                    heard(run)
                    continue
                }
                forget(run)
                metrics.stalled()
                logger.notice("run stalled: no heartbeat", metadata: ["run": "\(run)"])
            } catch {
                logger.error("cannot mark run as stalled: \(error)", metadata: ["run": "\(run)"])
            }
        }
    }

    /// Ends a run whose owner is gone, unless it has ended, or somebody else owns it by now. When
    /// the catalog cannot be written, it is tried again at the next tick.
    private func end(_ run: RunID, of lease: Lease, cause: String) async {
        do {
            let ended = try await catalog.change(.untracked(by: Self.daemon)) { transaction in
                guard let current = try transaction.reader.runStatus(run),
                    !current.status.isTerminal, current.lease == lease
                else { return false }
                _ = try transaction.updateRun(run, RunUpdate(status: .failed, endedCause: cause))
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

/// Waits for the end of one process through a pidfd.
// Safe because a dispatch source may be used from any thread and nothing else changes.
private final class ProcessWatch: @unchecked Sendable {
    private let source: any DispatchSourceRead

    /// `nil` when the process is gone already, or its number belongs to another one by now.
    init?(
        pid: Int32, start: UInt64, queue: DispatchQueue, ended: @escaping @Sendable () -> Void
    ) {
        let descriptor = clinux_pidfd_open(pid)
        guard descriptor >= 0 else { return nil }
        // The pidfd is of the right process only if that one is still there behind it.
        guard ProcessIdentity.start(of: pid) == start else {
            close(descriptor)
            return nil
        }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        self.source = source
        source.setEventHandler {
            source.cancel()
            ended()
        }
        source.setCancelHandler { close(descriptor) }
        source.resume()
    }

    func cancel() { source.cancel() }
}
