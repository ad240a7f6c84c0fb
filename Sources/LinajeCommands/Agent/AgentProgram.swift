import FoundationEssentials
import Glibc
import LinajeAgent
import LinajeClient
import LinajeDomain
import LinajeHost
import Synchronization

/// What makes an agent of a command: signals end it in order, systemd and people hear how it is.
struct AgentProgram: Sendable {
    private let json: Bool
    private let notification: ServiceNotification

    init(
        json: Bool, grace: Duration = .seconds(5), ending: String = "sending what was read"
    ) {
        self.json = json
        self.grace = grace
        self.ending = ending
        notification = ServiceNotification(environment: ProcessInfo.processInfo.environment)
    }

    /// How long work that was begun may take after SIGTERM.
    private let grace: Duration
    /// What is done then, for systemd.
    private let ending: String
    /// Pauses between attempts to reach a daemon.
    private static let retry = Duration.seconds(1)

    /// Runs an agent until it ends by itself, or SIGTERM or SIGINT ends it.
    func run(_ body: @escaping @Sendable (StopSignal) async throws -> Void) async throws {
        signal(SIGPIPE, SIG_IGN)
        let stop = StopSignal()
        let signals = Self.endingSignals()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body(stop) }
            group.addTask {
                for await _ in signals {
                    notification.stopping(ending)
                    stop.request()
                    try await Task.sleep(for: grace)
                    return
                }
                // No signal can be caught any more: they end the program by themselves.
                while true { try await Task.sleep(for: .seconds(3_600)) }
            }
            defer { group.cancelAll() }
            do {
                // Whichever ends first: the work, or the time that it had left.
                try await group.next()
            } catch is CancellationError where stop.isRequested {}
        }
    }

    /// SIGTERM and SIGINT, as they come.
    private static func endingSignals() -> AsyncStream<Int32> {
        let (numbers, post) = AsyncStream<Int32>.makeStream()
        guard let signals = CaughtSignals([SIGTERM, SIGINT]) else { return numbers }
        let isStarted = OwnThread.start {
            while let signal = signals.next() { post.yield(signal.number) }
        }
        // Better ended by a signal than deaf to it.
        if !isStarted { for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) } }
        return numbers
    }

    /// Connects; waits for a daemon that does not run, when that is wanted.
    ///
    /// - Returns: `nil` when the agent was told to end meanwhile.
    func connect(
        to socket: String?, stop: StopSignal, waits: Bool, patience: Duration
    ) async throws -> LinajeClient? {
        var isTold = false
        while !stop.isRequested {
            do {
                return try await LinajeClient.connect(
                    to: socket,
                    configuration: ClientConfiguration(
                        agent: GlobalOptions.agent,
                        deadline: patience == .zero ? .seconds(10) : .seconds(60),
                        attempts: patience == .zero ? 1 : 4, patience: patience))
            } catch let error as LinajeError where waits && error.code == .unavailable {
                if !isTold {
                    tell(FollowEvent.unreachable(error.message))
                    notification.status("waiting for the daemon")
                }
                isTold = true
            }
            await stop.pause(for: Self.retry)
        }
        return nil
    }

    /// The agent does its work.
    func ready(_ status: String) {
        notification.ready(status)
        if json {
            line("ready", [("status", .string(status))])
        } else {
            Output.note(status)
        }
    }

    func tell(_ event: FollowEvent) {
        let (name, text, fields) = event.said
        if json { line(name, fields) } else { Output.note(text) }
    }

    func tell(_ event: HostEvent) {
        let (name, text, fields) = event.said
        if json { line(name, fields) } else { Output.note(text) }
    }

    /// What a follower has done, at its end.
    func tell(_ counts: FollowCounts) {
        guard !json else {
            return line(
                "end",
                [
                    ("files", .count(counts.files)), ("records", .count(counts.records)),
                    ("points", .count(counts.points)), ("ignored", .count(counts.ignored)),
                    ("problems", .count(counts.problems)), ("damaged", .count(counts.damaged)),
                    ("incomplete", .count(counts.incomplete)),
                ])
        }
        var text =
            "\(Rendering.grouped(counts.points)) points of "
            + "\(Rendering.grouped(counts.records)) records in \(Rendering.grouped(counts.files)) "
            + "files are durable"
        let rest = [
            (counts.ignored, "values are no measurements"), (counts.problems, "passed over"),
            (counts.damaged, "files are damaged"), (counts.incomplete, "end inside a record"),
        ].filter { $0.0 > 0 }.map { "\(Rendering.grouped($0.0)) \($0.1)" }
        if !rest.isEmpty { text += "; " + rest.joined(separator: ", ") }
        Output.note(text)
    }

    private func line(_ event: String, _ fields: [(String, JSONValue)]) {
        let time = JSONValue.time("time", SystemClock().now())
        Output.lineNow(JSONValue.object([("event", .string(event))] + time + fields).text)
    }
}
