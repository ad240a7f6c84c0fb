import Dispatch
import Glibc

/// What happens while the screen is shown: keys and signals, in the order they come.
///
/// The signals that are watched no longer end the program by themselves.
final class TerminalEvents<News: Sendable>: Sendable {
    enum Event: Sendable {
        /// An interrupt.
        case quit
        /// Keys, as the terminal sends them.
        case keys([UInt8])
        /// Somebody wants the program to end.
        case terminate
        /// The terminal has another size.
        case resized
        /// The user wants the shell for a moment.
        case suspend
        /// What else the program waits for.
        case news(News)
    }

    let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation
    // Kept so that they go on; each is only touched by its queue.
    private nonisolated(unsafe) let sources: [any DispatchSourceProtocol]

    init() {
        let (events, post) = AsyncStream<Event>.makeStream()
        let queue = DispatchQueue(label: "linaje.top")
        func watch(_ number: Int32, _ event: Event) -> any DispatchSourceProtocol {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { post.yield(event) }
            return source
        }
        let keys = DispatchSource.makeReadSource(fileDescriptor: STDIN_FILENO, queue: queue)
        keys.setEventHandler {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
            // An end of input would be reported for ever.
            if count <= 0 { keys.cancel() }
            if count > 0 { post.yield(.keys(Array(bytes.prefix(count)))) }
        }
        sources = [
            watch(SIGINT, .quit), watch(SIGTERM, .terminate), watch(SIGHUP, .terminate),
            watch(SIGWINCH, .resized), watch(SIGTSTP, .suspend), keys,
        ]
        (self.events, self.post) = (events, post)
        for source in sources { source.resume() }
    }

    func add(_ event: Event) { post.yield(event) }
}
