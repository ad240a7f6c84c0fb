import CLinux
import FoundationEssentials
import Glibc

/// Programs whose output is read, and that may not take long.
enum CapturedProgram {
    private static let patience = Duration.seconds(10)
    private static let outputBound = 64 << 10

    /// Runs a program without input and waits for its end. Blocks.
    ///
    /// - Parameter words: the program's path and its arguments.
    /// - Returns: `nil` when it cannot be started, or has not ended after ten seconds and was ended.
    static func run(_ words: [String]) -> ProgramResult? {
        var ends: [Int32] = [-1, -1]
        guard let path = words.first, pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let started = spawn(path, words, output: ends[1])
        close(ends[1])
        guard let pid = started else { return nil }
        let deadline = ContinuousClock.now + patience
        let output = read(ends[0], until: deadline)
        guard let status = reap(pid, until: deadline), let output else { return nil }
        let signal = status & 0x7F
        return ProgramResult(
            status: signal == 0 ? status >> 8 & 0xFF : 128 + signal,
            output: String(decoding: output, as: UTF8.self))
    }

    /// The status of a process; `nil` when it had to be ended.
    private static func reap(_ pid: pid_t, until deadline: ContinuousClock.Instant) -> Int32? {
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            guard .now < deadline else {
                kill(pid, SIGKILL)
                waitpid(pid, &status, 0)
                return nil
            }
            usleep(2_000)
        }
        return status
    }

    private static func spawn(_ path: String, _ words: [String], output: Int32) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        clinux_spawn_close_from(&actions, STDERR_FILENO + 1)
        let variables = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
        var arguments = words.map { text in text.withCString { strdup($0) } }
        var environment = variables.map { text in text.withCString { strdup($0) } }
        defer { for pointer in arguments + environment { free(pointer) } }
        arguments.append(nil)
        environment.append(nil)
        var pid: pid_t = 0
        return posix_spawn(&pid, path, &actions, nil, arguments, environment) == 0 ? pid : nil
    }

    /// What comes until the other side has closed it; `nil` when it has not at `deadline`.
    private static func read(
        _ descriptor: Int32, until deadline: ContinuousClock.Instant
    ) -> [UInt8]? {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8_192)
        while true {
            let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
            guard left > 0 else { return nil }
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, Int32(left) + 1) > 0 else { continue }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return output }
            output += buffer.prefix(min(count, outputBound - output.count))
        }
    }
}
