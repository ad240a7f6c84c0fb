import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeDomain

/// A worker of `linaje bench connections`; nobody else calls it.
struct BenchWorkerCommand: AsyncParsableCommand {
    /// What its clients do.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        /// Send metric batches at a fixed rate.
        case good
        /// Nothing.
        case idle
        /// Ask for a file and never read it.
        case never
        /// Send a frame byte by byte.
        case dribble
        /// Ask for a file, and are stopped before they read it.
        case stopped
    }

    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Be many clients for \"bench connections\".",
        shouldDisplay: false)

    @OptionGroup var options: GlobalOptions
    @Option var role: Role
    @Option var count: Int
    @Option var rate = 1.0
    @Option var points = 10
    @Option var tree: String?

    func run() async throws {
        FileLimit.raise()
        signal(SIGPIPE, SIG_IGN)
        if role == .good {
            let clients = try await GoodClients.connect(count, options)
            Self.say(clients.connected)
            try await clients.obey(rate: rate, points: points)
        } else {
            let (role, count, options) = (role, count, options)
            let tree = tree.flatMap { SHA256Digest(hex: $0) }
            try await BlockingThread.run {
                let clients = try RawClients(
                    role, count: count, socket: options.daemonSocket(), tree: tree)
                Self.say(clients.connected)
                clients.obey()
            }
        }
    }

    /// The next order; `nil` when the bench is gone.
    static func order() -> String? { readLine() }

    static func say(_ answer: WorkerProcess.Answer) {
        guard let bytes = try? JSONEncoder().encode(answer) else { return }
        Output.lineNow(String(decoding: bytes, as: UTF8.self))
    }
}
