import Dispatch
import LinajeHost
import LinajeTransport
import LinajeWire
import Logging
import ServiceLifecycle
import Synchronization

/// Tells systemd that the daemon does its work, as long as it does: a client of its own, connected
/// like any other, asks questions that go through the socket, an event loop, the session, the
/// services and the SQL of both databases. Only an answer is passed on.
///
/// Questions read and do not write: a disk that is slow to sync, a checkpoint or a long transaction
/// holds changes up without being a fault that a restart would heal. A daemon whose storage has
/// failed goes on answering, and so is not restarted either: restarting would hide what failed.
final class Watchdog: Service {
    /// Where a question is, for people.
    private enum Stage: String {
        case connecting = "connecting to the socket"
        case eventLoop = "the event loop of the connection"
        case catalog = "the catalog database"
        case metrics = "the metrics database"
    }

    private struct State {
        /// Where the question under way is, and since when.
        var stage: Stage?
        var since = ContinuousClock.now
        var isReported = false
        var connection: ClientConnection?
        var isStopped = false
    }

    private let socket: String
    private let timeout: Duration
    private let notification: ServiceNotification
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - socket: the path that clients connect to.
    ///   - timeout: `$WATCHDOG_USEC`, after which systemd takes a silent daemon for dead.
    init(
        socket: String, timeout: Duration, notification: ServiceNotification, logger: Logger
    ) {
        self.socket = socket
        self.timeout = timeout
        self.notification = notification
        self.logger = logger
    }

    /// What systemd expects of this process (sd_watchdog_enabled(3)); `nil`: nothing.
    static func timeout(environment: [String: String], pid: Int32) -> Duration? {
        guard let text = environment["WATCHDOG_USEC"], let microseconds = Int64(text),
            microseconds > 0, environment["NOTIFY_SOCKET"] != nil
        else { return nil }
        if let owner = environment["WATCHDOG_PID"], owner != "\(pid)" { return nil }
        // A day is for ever, and fits any timer.
        return .microseconds(min(microseconds, 86_400_000_000))
    }

    func run() async throws {
        let observer = observe()
        defer { observer.cancel() }
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await self.ask() }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Asks four times in each timeout, so that an answer may take half of it.
    private func ask() async {
        while !Task.isCancelled, !state.withLock({ $0.isStopped }) {
            do {
                try await question()
                notification.alive()
            } catch {
                guard !state.withLock({ $0.isStopped }) else { return }
                // The next question connects anew.
                logger.warning("the watchdog's question failed: \(error)")
                state.withLock { state in
                    state.connection?.close()
                    state.connection = nil
                }
            }
            enter(nil)
            try? await Task.sleep(for: timeout / 4)
        }
    }

    private func question() async throws {
        let connection = try await connected()
        enter(.eventLoop)
        try await connection.ping()
        enter(.catalog)
        var experiment = Linaje_V1_GetExperimentRequest()
        experiment.id = 0
        _ = try await connection.call(Methods.getExperiment, experiment)
        enter(.metrics)
        _ = try await connection.call(Methods.getStatus, Linaje_V1_GetStatusRequest())
    }

    /// The connection, kept open: when users have taken all places it has its own.
    private func connected() async throws -> ClientConnection {
        if let kept = state.withLock({ $0.connection }), kept.isOpen { return kept }
        enter(.connecting)
        let made = try await ClientConnection.connect(to: socket, agent: "linajed-watchdog")
        let isStopped = state.withLock { state in
            state.connection = made
            return state.isStopped
        }
        if isStopped { made.close() }
        return made
    }

    private func enter(_ stage: Stage?) {
        state.withLock { state in
            state.stage = stage
            state.since = .now
            state.isReported = false
        }
    }

    /// Ends the question under way, too: closing fails what waits for an answer.
    private func stop() {
        let connection = state.withLock { state in
            state.isStopped = true
            return state.connection
        }
        connection?.close()
    }

    /// Looks at the question from a thread that nothing else needs: the log must say which stage is
    /// late even when every other thread hangs.
    private func observe() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "linaje.watchdog"))
        let pace = max(0.05, timeout / .seconds(1) / 8)
        timer.schedule(deadline: .now() + pace, repeating: pace)
        timer.setEventHandler { [self] in
            let late = state.withLock { state -> Stage? in
                guard let stage = state.stage, !state.isReported,
                    state.since.duration(to: .now) > timeout / 2
                else { return nil }
                state.isReported = true
                return stage
            }
            guard let late else { return }
            logger.critical(
                """
                no answer from \(late.rawValue) within \(timeout / 2): systemd is not told any more \
                that the daemon is alive
                """,
                metadata: ["stage": "\(late)"])
        }
        timer.resume()
        return timer
    }
}
