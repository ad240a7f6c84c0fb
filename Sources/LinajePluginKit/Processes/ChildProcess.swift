import Glibc
import LinajeDomain
import LinajeHost
import Synchronization

/// A process of ours: standard input and output are one end of a socket, standard error another,
/// everything else is closed, and the environment is empty but for PATH and LANG.
///
/// It leads a process group of its own, so that what it started ends with it.
final class ChildProcess: Sendable {
    /// How a process ended.
    enum Exit: Sendable, Hashable, CustomStringConvertible {
        case status(Int32)
        case signal(Int32)
        case unknown

        var description: String {
            switch self {
            case .status(let status): "exited with status \(status)"
            case .signal(let signal): "was ended by signal \(signal)"
            case .unknown: "ended"
            }
        }
    }

    let pid: pid_t
    /// Our end of its standard input and output.
    let socket: Int32
    /// Our end of its standard error.
    let errors: Int32
    private let exit = Mutex<Exit?>(nil)

    private init(pid: pid_t, socket: Int32, errors: Int32) {
        self.pid = pid
        self.socket = socket
        self.errors = errors
    }

    /// Starts `executable`. Blocks for as long as the system takes to load it.
    ///
    /// - Throws: `pluginFailed` with the system's reason.
    static func spawn(_ executable: String, _ arguments: [String]) throws -> ChildProcess {
        var opened: [Int32] = []
        do {
            let (socket, childSocket) = try socketPair(&opened)
            let (errors, childErrors) = try socketPair(&opened)
            let pid: pid_t
            do {
                pid = try SpawnedProcess.start(
                    [executable] + arguments, environment: environment, input: childSocket,
                    output: childSocket, errors: childErrors, bond: .none)
            } catch {
                throw failure("cannot be started", error.number)
            }
            close(childSocket)
            close(childErrors)
            return ChildProcess(pid: pid, socket: socket, errors: errors)
        } catch {
            for descriptor in opened { close(descriptor) }
            throw error
        }
    }

    /// Ends the process and what it started. Harmless when it has ended.
    func kill() {
        exit.withLock { exit in
            guard exit == nil else { return }
            Glibc.kill(-pid, SIGKILL)
        }
    }

    /// Whether the process has ended.
    func hasEnded() -> Bool { poll() != nil }

    /// Waits for the end of the process for at most `grace`, ends it then, and says how it ended.
    /// Blocks.
    func reap(grace: Duration) -> Exit {
        let clock = ContinuousClock()
        let start = clock.now
        var isKilled = false
        while true {
            if let exit = poll() { return exit }
            let waited = start.duration(to: clock.now)
            if !isKilled, waited >= grace {
                kill()
                isKilled = true
            }
            // Only a process stuck in the kernel outlives SIGKILL; nobody waits for it.
            if waited >= grace + .seconds(5) { return .unknown }
            usleep(2_000)
        }
    }

    private func poll() -> Exit? {
        exit.withLock { exit in
            if let exit { return exit }
            var info = siginfo_t()
            let flags = WEXITED | WNOHANG | WNOWAIT
            guard waitid(P_PID, id_t(pid), &info, flags) == 0 else {
                exit = .unknown
                return exit
            }
            guard info.si_signo == SIGCHLD else { return nil }
            // While it is not reaped its number is its own, so the signal reaches only its group.
            Glibc.kill(-pid, SIGKILL)
            var status: Int32 = 0
            guard waitpid(pid, &status, 0) == pid else {
                exit = .unknown
                return exit
            }
            let signal = status & 0x7f
            exit = signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
            return exit
        }
    }

    private static func socketPair(_ opened: inout [Int32]) throws -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw failure("cannot make a socket for it", errno)
        }
        opened += ends
        return (ends[0], ends[1])
    }

    private static let environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"]

    private static func failure(_ what: String, _ error: Int32) -> LinajeError {
        LinajeError(.pluginFailed, "\(what): \(String(cString: strerror(error)))")
    }
}
