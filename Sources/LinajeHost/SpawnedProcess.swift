import CLinux
import Glibc

/// Starting programs.
package enum SpawnedProcess {
    /// Why a program could not be started: an error number.
    package struct Failure: Error {
        package let number: Int32
    }

    /// Starts a program, found by PATH, with these standard streams (`nil`: ours) and our other
    /// descriptors that are not closed on exec. Its signals are as ours were at our start.
    package static func start(
        _ words: [String], environment: [String], output: Int32? = nil, errors: Int32? = nil,
        input: Int32? = nil
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
        var mask = sigset_t()
        var defaults = sigset_t()
        sigemptyset(&defaults)
        if clinux_signals_at_start(&mask) == 0 { sigaddset(&defaults, SIGPIPE) }
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var arguments = words.map { word in word.withCString { strdup($0) } }
        var variables = environment.map { text in text.withCString { strdup($0) } }
        defer { for pointer in arguments + variables { free(pointer) } }
        arguments.append(nil)
        variables.append(nil)
        var pid: pid_t = 0
        let error = posix_spawnp(
            &pid, words.first ?? "", &actions, &attributes, arguments, variables)
        guard error == 0 else { throw Failure(number: error) }
        return pid
    }

    /// What a program writes to its standard output; `nil` when it cannot be started, fails, takes
    /// longer than `seconds` or writes more than `limit` bytes. Blocks.
    package static func output(
        of words: [String], environment: [String], seconds: Int32 = 10, limit: Int = 1 << 20
    ) -> [UInt8]? {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return nil }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer {
            close(ends[0])
            close(null)
        }
        let started = Result { () throws(Failure) in
            try start(
                words, environment: environment, output: ends[1], errors: null, input: null)
        }
        close(ends[1])
        guard case .success(let pid) = started else { return nil }
        let bytes = readAll(ends[0], seconds: seconds, limit: limit)
        if bytes == nil { kill(pid, SIGKILL) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status == 0 ? bytes : nil
    }

    private static func readAll(_ descriptor: Int32, seconds: Int32, limit: Int) -> [UInt8]? {
        let deadline = ContinuousClock.now + .seconds(Int(seconds))
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
            if got > 0 { bytes += part[..<got] }
            if bytes.count > limit { return nil }
        }
    }
}
