import Glibc
import LinajeHost
import ServiceLifecycle
import Synchronization

/// The signals that the daemon takes: SIGTERM and SIGINT end it in peace, SIGHUP reloads.
///
/// They are caught from the first moment on, so that none that comes during the start ends the
/// process in the middle of a step or is lost. A SIGINT that was ignored when the daemon was started
/// stays so: a shell that starts a program in the background asks it to ignore its terminal's ^C.
final class ProcessSignals: Sendable {
    /// The signals as they came and come, for one reader.
    let numbers: AsyncStream<Int32>
    /// Kept, so that the stream does not end where no signal can be caught.
    private let post: AsyncStream<Int32>.Continuation
    private let isStopCaught = Atomic<Bool>(false)

    /// Catches them from now on; called first thing in the process.
    static let caught = ProcessSignals()

    /// Whether the daemon was told to stop.
    static var stopWasCaught: Bool { caught.isStopCaught.load(ordering: .relaxed) }

    private init() {
        (numbers, post) = AsyncStream<Int32>.makeStream()
        for number in [SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
        guard let signals = CaughtSignals([SIGTERM, SIGINT, SIGHUP]) else { return }
        let isStarted = OwnThread.start { [self] in
            while let signal = signals.next() {
                if signal.number != SIGHUP { isStopCaught.store(true, ordering: .relaxed) }
                post.yield(signal.number)
            }
        }
        // Better ended by a signal than deaf to it.
        if !isStarted { for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_DFL) } }
    }
}

/// Takes the signals. It returns when the daemon is told to stop, which ends the group.
struct SignalService: Service {
    let signals: ProcessSignals
    let reload: @Sendable () async -> Void

    func run() async throws {
        for await number in signals.numbers.cancelOnGracefulShutdown() {
            guard number == SIGHUP else { return }
            await reload()
        }
    }
}
