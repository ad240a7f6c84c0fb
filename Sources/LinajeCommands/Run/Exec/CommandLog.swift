import LinajeClient
import LinajeDomain
import LinajeHost
import Synchronization

/// The log of a command: takes copies of what it writes and sends them to the daemon, while the command
/// neither knows nor waits.
///
/// A thread takes the copies from the relays, which never wait for it; a task sends them. What the
/// daemon does not take within two seconds goes into the run's folder of kept runs, what has no room
/// there is counted, and the log shows where it is missing.
final class CommandLog: Sendable {
    fileprivate struct State: ~Copyable {
        var queue: LogQueue
        /// Why the daemon does not want it.
        var refusal: LinajeError?
        /// The log has as much as it may: bytes are only counted.
        var isFull = false
        /// Whether the daemon has taken anything yet.
        var wasTaken = false
        var isEnding = false
    }

    /// What is left when the command has ended and the daemon was given its time.
    enum Rest {
        case nothing
        /// It is in the run's folder.
        case kept
        case lost(String)
    }

    private let run: RunID
    private let socket: String?
    private let place: KeptPlace
    private let state: Mutex<State>
    private let more: AsyncStream<Void>
    private let post: AsyncStream<Void>.Continuation
    private let done: AsyncStream<Void>
    private let finishDone: AsyncStream<Void>.Continuation
    let bell: CopyBell

    /// How long what comes is gathered before it is sent.
    private static let gathering = Duration.milliseconds(100)

    /// `nil` when the system has no more descriptors.
    init?(_ run: RunID, socket: String?, place: KeptPlace) {
        guard let bell = CopyBell() else { return nil }
        self.bell = bell
        self.run = run
        self.socket = socket
        self.place = place
        state = Mutex(State(queue: LogQueue(place)))
        (more, post) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        (done, finishDone) = AsyncStream<Void>.makeStream()
    }

    // MARK: Taking

    /// Starts to take what the relays copy.
    func take(from relays: [(LogStream, OutputRelay)]) {
        if !OwnThread.start({ [self] in takeCopies(relays) }) { finishDone.finish() }
    }

    private func takeCopies(_ relays: [(LogStream, OutputRelay)]) {
        while true {
            let isLast = state.withLock { $0.isEnding }
            let records = Self.records(of: relays)
            let waits = state.withLock { state in
                for record in records { state.add(record) }
                state.queue.tend()
                return !state.queue.isEmpty
            }
            if waits { post.yield() }
            guard records.isEmpty else { continue }
            if isLast { break }
            bell.wait(milliseconds: waits ? 200 : 1_000)
        }
        state.withLock { state in
            for (_, relay) in relays where relay.missingAtEnd > 0 {
                state.add(
                    LogRecord(time: SystemClock().now(), .missing(relay.missingAtEnd)))
            }
        }
        finishDone.finish()
    }

    /// What the relays have copied, some of it, in the order of time.
    private static func records(of relays: [(LogStream, OutputRelay)]) -> [LogRecord] {
        var found: [LogRecord] = []
        for (stream, relay) in relays {
            var bytes = 0
            while bytes < LogSpool.frameBytes, let copy = relay.take() {
                let time = Timestamp(microseconds: copy.time)
                if copy.missing > 0 { found.append(LogRecord(time: time, .missing(copy.missing))) }
                found.append(LogRecord(time: time, .bytes(stream, copy.bytes)))
                bytes += copy.bytes.count
            }
        }
        // Stable: what is of one moment stays in the order of its stream.
        return found.enumerated().sorted {
            ($0.element.time.microseconds, $0.offset) < ($1.element.time.microseconds, $1.offset)
        }.map(\.element)
    }

    /// The command has ended: takes what the relays have still copied.
    func finishTaking() async {
        state.withLock { $0.isEnding = true }
        bell.ring()
        for await _ in done {}
    }

    // MARK: Sending

    /// Sends what comes until the task is cancelled.
    func send() async {
        var client: LinajeClient?
        for await _ in more {
            var pause = Self.gathering
            while !Task.isCancelled, await !attempt(&client) {
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
            guard (try? await Task.sleep(for: Self.gathering)) != nil else { return }
        }
    }

    /// How long the daemon is waited for at the end: one that has never answered hardly.
    var patience: Duration { .milliseconds(state.withLock { $0.wasTaken } ? 3_000 : 500) }

    /// Sends the rest, for as long as the daemon takes something and the task is not cancelled.
    func sendRest() async {
        let begin = ContinuousClock.now
        let patience = patience
        var client: LinajeClient?
        while !Task.isCancelled, await !attempt(&client) {
            guard begin.duration(to: .now) < patience else { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Keeps what the daemon has not taken.
    func keepRest() -> Rest {
        state.withLock { state in
            if let refusal = state.refusal {
                state.queue.forget()
                return .lost("was refused: \(refusal.message)")
            }
            guard !state.queue.isEmpty else { return .nothing }
            return state.queue.moveToFile() ? .kept : .lost("could not be kept as a whole")
        }
    }

    /// Sends all there is; false when something hinders that which may go away.
    private func attempt(_ client: inout LinajeClient?) async -> Bool {
        while !Task.isCancelled {
            let (batch, writer) = state.withLock {
                ($0.refusal == nil ? $0.queue.next() : nil, $0.queue.writer)
            }
            guard let batch else { return true }
            do {
                let current: LinajeClient
                if let client { current = client } else { current = try await connect() }
                client = current
                let answer = try await current.appendLog(
                    of: run, writer: writer, offset: batch.offset, batch.records)
                state.withLock { state in
                    state.queue.taken(through: answer.durable)
                    state.isFull = answer.isFull
                    state.wasTaken = true
                }
            } catch let error as LinajeError {
                guard await settle(error, batch.offset, writer, client) else { return false }
            } catch {
                return false
            }
        }
        return false
    }

    /// What an error means; whether sending may go on at once.
    private func settle(
        _ error: LinajeError, _ offset: UInt64, _ writer: WriterID, _ client: LinajeClient?
    ) async -> Bool {
        // A run that is not there yet is on its way.
        if error.isRetryable || error.code == .notFound { return false }
        // The daemon's trouble, not a refusal of this log: it waits for a daemon that is well.
        if error.code == .storageFailed || error.code == .internalError { return false }
        if let client, let gap = LogGap(error, before: offset) {
            return (try? await gap.tell(client, run, writer)) != nil
        }
        state.withLock { $0.refusal = error }
        return true
    }

    private func connect() async throws -> LinajeClient {
        try await LinajeClient.connect(
            to: socket,
            configuration: ClientConfiguration(
                agent: GlobalOptions.agent, deadline: .seconds(5), attempts: 1, patience: .zero))
    }
}

extension CommandLog.State {
    /// A record has come.
    fileprivate mutating func add(_ record: LogRecord) {
        guard refusal == nil else { return }
        queue.add(isFull ? LogRecord(time: record.time, .missing(record.size)) : record)
    }
}
