import CLinux
import Dispatch
import Glibc
import ServiceLifecycle

/// The signals that the daemon takes: SIGTERM and SIGINT end it in peace, SIGHUP reloads.
///
/// They are caught from the first moment on, so that none that comes during the start ends the
/// process in the middle of a step or is lost.
struct ProcessSignals: Sendable {
    /// Each byte that can be read from it is a signal's number.
    private let descriptor: CInt

    /// Catches them from now on; called first thing in the process, and once.
    static let caught = ProcessSignals(descriptor: clinux_catch_daemon_signals())

    /// Whether the daemon was told to stop.
    static var stopWasCaught: Bool { clinux_stop_was_caught() != 0 }

    /// The signals as they came and come, for one reader.
    func numbers() -> AsyncStream<Int32> {
        let descriptor = descriptor
        return AsyncStream { continuation in
            let source = DispatchSource.makeReadSource(
                fileDescriptor: descriptor, queue: DispatchQueue(label: "linaje.signals"))
            source.setEventHandler {
                var number: UInt8 = 0
                while read(descriptor, &number, 1) == 1 {
                    // Held by its own handler until nobody listens any more.
                    if case .terminated = continuation.yield(Int32(number)) { source.cancel() }
                }
            }
            source.resume()
        }
    }
}

/// Takes the signals. It returns when the daemon is told to stop, which ends the group.
struct SignalService: Service {
    let signals: ProcessSignals
    let reload: @Sendable () async -> Void

    func run() async throws {
        for await number in signals.numbers().cancelOnGracefulShutdown() {
            guard number == SIGHUP else { return }
            await reload()
        }
    }
}
