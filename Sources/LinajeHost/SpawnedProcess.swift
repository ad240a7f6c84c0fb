import CLinux
import Glibc

/// Starting programs.
package enum SpawnedProcess {
    /// Why a program could not be started: an error number.
    package struct Failure: Error {
        package let number: Int32
    }

    /// What a program that is started keeps of this one.
    package enum Bond: Sendable {
        /// Our other descriptors that are not closed on exec, and signals as ours were at our start:
        /// it stands where we stand.
        case successor
        /// Nothing: no other descriptor, no blocked or ignored signal, a process group of its own,
        /// so that what it starts can be ended with it.
        case none
    }

    /// What a program said and how it ended.
    package struct Outcome: Sendable {
        /// As wait(2) tells it.
        package var status: Int32
        package var output: [UInt8]

        /// Its exit status; above 128 when a signal ended it, as a shell shows it.
        package var exitStatus: Int32 {
            let signal = status & 0x7F
            return signal == 0 ? status >> 8 & 0xFF : 128 + signal
        }
    }

    /// Starts a program, a successor found by PATH, with these standard streams (`nil`: ours).
    package static func start(
        _ words: [String], environment: [String], input: Int32? = nil, output: Int32? = nil,
        errors: Int32? = nil, bond: Bond = .successor
    ) throws(Failure) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (from, to) in [(input, STDIN_FILENO), (output, STDOUT_FILENO), (errors, STDERR_FILENO)]
        {
            if let from { posix_spawn_file_actions_adddup2(&actions, from, to) }
        }
        apply(bond, &actions, &attributes)
        var arguments = words.map { word in word.withCString { strdup($0) } }
        var variables = environment.map { text in text.withCString { strdup($0) } }
        defer { for pointer in arguments + variables { free(pointer) } }
        arguments.append(nil)
        variables.append(nil)
        var pid: pid_t = 0
        // Who is given nothing of ours is not looked for in our PATH either.
        let spawn = bond == .none ? posix_spawn : posix_spawnp
        let error = spawn(&pid, words.first ?? "", &actions, &attributes, arguments, variables)
        guard error == 0 else { throw Failure(number: error) }
        return pid
    }

    private static func apply(
        _ bond: Bond, _ actions: inout posix_spawn_file_actions_t,
        _ attributes: inout posix_spawnattr_t
    ) {
        var mask = sigset_t()
        var defaults = sigset_t()
        var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        switch bond {
        case .successor:
            sigemptyset(&defaults)
            if clinux_signals_at_start(&mask) == 0 { sigaddset(&defaults, SIGPIPE) }
        case .none:
            clinux_spawn_close_from(&actions, STDERR_FILENO + 1)
            sigemptyset(&mask)
            sigfillset(&defaults)
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= POSIX_SPAWN_SETPGROUP
        }
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// What a program writes to its standard output; `nil` when it cannot be started, fails, takes
    /// longer than `seconds` or writes more than `limit` bytes. Blocks.
    package static func output(
        of words: [String], environment: [String], seconds: Int32 = 10, limit: Int = 1 << 20
    ) -> [UInt8]? {
        let outcome = run(
            words, environment: environment, withErrors: false, seconds: seconds, limit: limit,
            beyondLimit: .end)
        return outcome?.status == 0 ? outcome?.output : nil
    }

    /// What becomes of a program that writes more than its reader takes.
    package enum Excess: Sendable {
        /// It is ended.
        case end
        /// What is too much is dropped.
        case drop
    }

    /// Runs a program without input. Blocks.
    ///
    /// - Parameter withErrors: whether its standard error is taken, too, or goes nowhere.
    /// - Returns: `nil` when it cannot be started, or had to be ended: after `seconds`, or for more
    ///   than `limit` bytes.
    package static func run(
        _ words: [String], environment: [String], withErrors: Bool, seconds: Int32 = 10,
        limit: Int, beyondLimit: Excess
    ) -> Outcome? {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return nil }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer {
            close(ends[0])
            close(null)
        }
        let started = Result { () throws(Failure) in
            try start(
                words, environment: environment, input: null, output: ends[1],
                errors: withErrors ? ends[1] : null)
        }
        close(ends[1])
        guard case .success(let pid) = started else { return nil }
        let deadline = ContinuousClock.now + .seconds(Int(seconds))
        let bytes = readAll(ends[0], until: deadline, limit: limit, beyondLimit)
        if bytes == nil { kill(pid, SIGKILL) }
        guard let status = reap(pid, until: deadline), let bytes else { return nil }
        return Outcome(status: status, output: bytes)
    }

    /// The status of a process; `nil` when it had to be ended.
    private static func reap(_ pid: pid_t, until deadline: ContinuousClock.Instant) -> Int32? {
        var status: Int32 = 0
        while true {
            let ended = waitpid(pid, &status, WNOHANG)
            if ended == pid { return status }
            guard ended == 0 || errno == EINTR else { return nil }
            guard .now < deadline else {
                kill(pid, SIGKILL)
                // One that is stuck in the kernel is not waited for: it is init's when we end.
                _ = waitpid(pid, &status, WNOHANG)
                return nil
            }
            usleep(2_000)
        }
    }

    private static func readAll(
        _ descriptor: Int32, until deadline: ContinuousClock.Instant, limit: Int, _ excess: Excess
    ) -> [UInt8]? {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
            guard left > 0 else { return nil }
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&ready, 1, Int32(left) + 1)
            if count < 0, errno != EINTR { return nil }
            guard count > 0 else { continue }
            let got = read(descriptor, &part, part.count)
            if got < 0, errno != EINTR { return nil }
            if got == 0 { return bytes }
            guard got > 0 else { continue }
            if bytes.count + got > limit, case .end = excess { return nil }
            bytes += part[..<min(got, limit - bytes.count)]
        }
    }
}
