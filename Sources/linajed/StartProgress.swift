import Dispatch
import LinajeDomain
import LinajeHost
import Logging
import Synchronization

/// Keeps systemd patient while the stores are opened, recovered and migrated, and says how far it is.
///
/// Whoever does a long step of the start calls `report`. Between reports systemd is asked for more
/// time again and again; a step that says nothing for an hour is taken to hang.
// Safe because a dispatch source may be used from any thread and the rest is guarded.
final class StartProgress: @unchecked Sendable {
    private struct State {
        var text = ""
        var since = ContinuousClock.now
    }

    private static let pace = Duration.seconds(5)
    private static let patience = Duration.seconds(3_600)

    private let notification: ServiceNotification
    private let logger: Logger
    private let state = Mutex(State())
    private let timer: any DispatchSourceTimer

    init(_ notification: ServiceNotification, logger: Logger) {
        self.notification = notification
        self.logger = logger
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "linaje.start"))
        timer.schedule(deadline: .now() + .seconds(5), repeating: .seconds(5))
        timer.setEventHandler { [weak self] in self?.tick() }
        timer.resume()
    }

    deinit { timer.cancel() }

    /// Says what is being done now: "migrating the catalog: 34 %".
    func report(_ text: String) {
        state.withLock { $0 = State(text: text) }
        logger.debug("\(text)")
        ask(text)
    }

    /// Says what is being done, then does it unless the daemon was told to stop meanwhile.
    ///
    /// - Throws: `cancelled` when it was; what `body` throws.
    func step<Value>(_ text: String, _ body: () async throws -> Value) async throws -> Value {
        guard !ProcessSignals.stopWasCaught else {
            throw LinajeError(.cancelled, "the daemon was stopped while it started")
        }
        report(text)
        return try await body()
    }

    /// The daemon is ready.
    func end() { timer.cancel() }

    private func tick() {
        let (text, since) = state.withLock { ($0.text, $0.since) }
        guard !text.isEmpty, since.duration(to: .now) < Self.patience else { return }
        ask(text)
    }

    /// Asks for several paces, so that one late tick does no harm.
    private func ask(_ text: String) { notification.extendTimeout(by: Self.pace * 6, text) }
}
