import CLinux
import Dispatch
import Glibc
import LinajeDomain
import LinajeHost
import Synchronization

/// A program of ours on whose standard input and output messages go: a length of four bytes,
/// big-endian, and so many bytes. Its standard error goes to ours, and the end of it is kept.
final class WorkerPipe: Sendable {
    /// Longest message.
    static let mostBytes = 1 << 30

    private let pid: pid_t
    private let socket: Int32
    private let errors = Mutex<[UInt8]>([])
    /// Left when standard error is over.
    private let errorsOver = DispatchGroup()
    private let isReaped = Mutex(false)

    /// Starts a program. Blocks for as long as the system takes to load it.
    ///
    /// - Parameters:
    ///   - words: Absolute path of the program, and its arguments.
    ///   - shows: Whether what it says on standard error is shown.
    init(_ words: [String], environment: [String], shows: Bool) throws {
        var ends: [Int32] = [-1, -1]
        var said: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw LinajeError(.overloaded, "no socket for a worker: \(Self.reason(errno))")
        }
        guard clinux_pipe(&said) == 0 else {
            for end in ends { close(end) }
            throw LinajeError(.overloaded, "no pipe for a worker: \(Self.reason(errno))")
        }
        let started = Result { () throws(SpawnedProcess.Failure) in
            try SpawnedProcess.start(
                words, environment: environment, input: ends[1], output: ends[1], errors: said[1],
                bond: .none)
        }
        close(ends[1])
        close(said[1])
        socket = ends[0]
        switch started {
        case .success(let pid): self.pid = pid
        case .failure(let failure):
            close(ends[0])
            close(said[0])
            throw LinajeError(
                .notFound,
                "\(words.first ?? "") cannot be started: \(Self.reason(failure.number))")
        }
        let descriptor = said[0]
        errorsOver.enter()
        let isStarted = OwnThread.start { [self] in relay(descriptor, shows: shows) }
        if !isStarted {
            close(descriptor)
            errorsOver.leave()
        }
    }

    deinit { close(socket) }

    /// Ends it and what it has started.
    func kill() {
        isReaped.withLock { isReaped in
            if !isReaped { Glibc.kill(-pid, SIGKILL) }
        }
    }

    /// Sends a message and waits for the answer. Blocks; for one caller at a time.
    ///
    /// - Throws: `pluginFailed` when it has ended, or does not read or answer in time.
    func exchange(_ message: [UInt8], within patience: Duration) throws -> [UInt8] {
        let end = ContinuousClock.now + patience
        guard message.count <= Self.mostBytes else {
            throw LinajeError(
                .limitExceeded,
                "\(message.count) bytes are too many for the Python worker; give them in parts")
        }
        let length = UInt32(message.count).bigEndian
        try send(withUnsafeBytes(of: length) { Array($0) } + message, until: end)
        let head = try receive(4, until: end)
        let count = head.reduce(0) { $0 << 8 | Int($1) }
        guard count <= Self.mostBytes else {
            throw failed("said that its answer has \(count) bytes, which are too many")
        }
        return try receive(count, until: end)
    }

    private func send(_ bytes: [UInt8], until end: ContinuousClock.Instant) throws {
        var sent = 0
        while sent < bytes.count {
            guard isReady(POLLOUT, until: end) else {
                throw failed("did not take what it was sent in time and was ended")
            }
            let count = bytes.withUnsafeBytes { raw in
                Glibc.send(
                    socket, raw.baseAddress.map { $0 + sent }, raw.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw failed(nil) }
            sent += count
        }
    }

    /// Waits until the socket can be written or read, or is over; `false`: in vain.
    private func isReady(_ event: Int32, until end: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: end) / .milliseconds(1)
            guard left > 0 else { return false }
            var ready = pollfd(fd: socket, events: Int16(event), revents: 0)
            let count = poll(&ready, 1, Int32(min(left, 1e8)) + 1)
            if count < 0, errno == EINTR { continue }
            return count > 0
        }
    }

    private func receive(_ count: Int, until end: ContinuousClock.Instant) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: min(max(count, 1), 1 << 20))
        while bytes.count < count {
            guard isReady(POLLIN, until: end) else {
                throw failed("did not answer in time and was ended")
            }
            let got = read(socket, &part, min(part.count, count - bytes.count))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw failed(nil) }
            bytes += part[..<got]
        }
        return bytes
    }

    /// What has become of it, with its last words.
    ///
    /// - Parameter what: What it did; `nil`: it ended.
    private func failed(_ what: String?) -> LinajeError {
        if what != nil { kill() }
        let exit = reap()
        _ = errorsOver.wait(timeout: .now() + .seconds(1))
        let lines = String(decoding: errors.withLock { $0 }, as: UTF8.self).split(separator: "\n")
        let last = lines.last.map { "; it said: \(printable(String($0.prefix(500))))" } ?? ""
        return LinajeError(.pluginFailed, "the Python worker \(what ?? exit)\(last)")
    }

    /// Waits for its end, which is near, and says how it ended.
    private func reap() -> String {
        for round in 0..<1_000 {
            var status: Int32 = 0
            let ended = waitpid(pid, &status, WNOHANG)
            if ended == pid {
                isReaped.withLock { $0 = true }
                let signal = status & 0x7F
                return signal == 0
                    ? "exited with status \(status >> 8 & 0xFF)" : "was ended by signal \(signal)"
            }
            guard ended == 0 || errno == EINTR else { break }
            if round == 250 { kill() }
            usleep(2_000)
        }
        return "ended"
    }

    /// Ends it and waits for that.
    func end() {
        shutdown(socket, Int32(SHUT_RDWR))
        kill()
        _ = reap()
        _ = errorsOver.wait(timeout: .now() + .seconds(1))
    }

    private func relay(_ descriptor: Int32, shows: Bool) {
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let got = read(descriptor, &part, part.count)
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { break }
            if shows { _ = write(STDERR_FILENO, part, got) }
            errors.withLock { $0 = Array(($0 + part[..<got]).suffix(8 << 10)) }
        }
        close(descriptor)
        errorsOver.leave()
    }

    private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}
