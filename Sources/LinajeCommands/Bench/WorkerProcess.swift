import FoundationEssentials
import Glibc
import LinajeDomain

/// A part of `linaje bench connections` in a process of its own: one process may not have as many
/// descriptors as there are to be clients, and a client that is to be stopped must be one.
///
/// Both sides write lines: orders on the worker's standard input, one JSON object for each answer on
/// its standard output. A worker ends when its orders end, so none outlives the bench.
struct WorkerProcess: Sendable {
    /// What a worker answers.
    struct Answer: Codable, Sendable {
        var event: String
        /// Connections made, or cut off.
        var count: Int
        /// How long that took; of cut off ones, the longest.
        var seconds: Double
        /// Batches that were not acknowledged.
        var failed: Int?
        /// Nanoseconds and how often.
        var latencies: [[UInt64]]?
    }

    let pid: pid_t
    private let orders: Int32
    private let answers: Int32

    /// Starts this program again as a worker.
    static func start(_ arguments: [String]) throws -> WorkerProcess {
        var toWorker: [Int32] = [-1, -1]
        var fromWorker: [Int32] = [-1, -1]
        guard pipe(&toWorker) == 0, pipe(&fromWorker) == 0 else {
            throw failure("no pipe for a worker")
        }
        for end in toWorker + fromWorker { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toWorker[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, fromWorker[1], STDOUT_FILENO)
        var argv = (["linaje"] + arguments).map { text in text.withCString { strdup($0) } }
        defer { for pointer in argv { free(pointer) } }
        argv.append(nil)
        var pid: pid_t = 0
        let error = posix_spawn(&pid, "/proc/self/exe", &actions, nil, argv, environ)
        close(toWorker[0])
        close(fromWorker[1])
        guard error == 0 else {
            errno = error
            throw failure("a worker cannot be started")
        }
        return WorkerProcess(pid: pid, orders: toWorker[1], answers: fromWorker[0])
    }

    /// Gives an order.
    func order(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        // A worker that is gone is noticed when its answer is awaited.
        _ = write(orders, bytes, bytes.count)
    }

    /// Waits for the next answer.
    ///
    /// - Throws: `internalError` when the worker is gone.
    func answer(_ event: String) async throws -> Answer {
        let (answers, pid) = (answers, pid)
        let line = try await BlockingThread.run {
            var line: [UInt8] = []
            var byte: UInt8 = 0
            while true {
                let count = read(answers, &byte, 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1 else {
                    throw LinajeError(
                        .internalError, "worker \(pid) of the bench ended before \"\(event)\"")
                }
                if byte == UInt8(ascii: "\n") { return line }
                line.append(byte)
            }
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(line))
        guard let answer, answer.event == event else {
            throw LinajeError(
                .internalError,
                "worker \(pid) of the bench says \(String(decoding: line.prefix(200), as: UTF8.self))"
            )
        }
        return answer
    }

    /// Stops it like a suspended program, and lets it go on.
    func pause() { kill(pid, SIGSTOP) }
    func resume() { kill(pid, SIGCONT) }

    /// Ends it and what it has open.
    func end() async {
        kill(pid, SIGKILL)
        close(orders)
        close(answers)
        let pid = pid
        _ = try? await BlockingThread.run {
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
    }

    private static func failure(_ what: String) -> LinajeError {
        LinajeError(.overloaded, "\(what): \(String(cString: strerror(errno)))")
    }
}
