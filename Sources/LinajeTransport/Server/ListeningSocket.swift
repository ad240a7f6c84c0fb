import Glibc
import LinajeDomain

/// A listening Unix socket, made here or handed over by systemd.
package struct ListeningSocket: Sendable {
    package let descriptor: CInt
    /// The path to remove at the end; `nil` when somebody else owns the socket.
    package let ownedPath: String?

    /// Binds `path` with `mode`. A socket file that nobody answers on is left from a crash and is
    /// replaced; one that answers is refused.
    ///
    /// - Throws: `alreadyRunning` when a daemon answers on it, `readOnly` when the folder does not
    ///   let us, `invalidArgument` for a path that is too long or no socket.
    package static func bind(path: String, mode: UInt32) throws -> ListeningSocket {
        var address = try address(of: path)
        try removeStale(path, &address)
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("create a socket for", path) }
        // Nobody may connect between bind and chmod.
        let previous = umask(0o177)
        let bound = withSocketAddress(&address) { Glibc.bind(descriptor, $0, $1) }
        umask(previous)
        guard bound == 0, chmod(path, mode) == 0, listen(descriptor, backlog) == 0 else {
            let error = failure("listen on", path)
            close(descriptor)
            throw error
        }
        return ListeningSocket(descriptor: descriptor, ownedPath: path)
    }

    /// The socket that systemd handed over (sd_listen_fds(3)), or `nil` when it did not.
    ///
    /// - Throws: `invalidArgument` when it was not exactly one, or is no Unix stream socket that
    ///   listens at a path.
    package static func inherited(environment: [String: String]) throws -> ListeningSocket? {
        guard let pid = environment["LISTEN_PID"].flatMap(Int32.init), pid == getpid(),
            let count = environment["LISTEN_FDS"].flatMap(Int.init), count > 0
        else { return nil }
        // It is for this process, not for those it starts.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        guard count == 1 else {
            let names = environment["LISTEN_FDNAMES"].map { " (\($0))" } ?? ""
            throw LinajeError(
                .invalidArgument,
                "systemd handed over \(count) sockets\(names); linajed.socket must name exactly one "
                    + "with ListenStream=")
        }
        let descriptor: CInt = 3
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
            throw LinajeError(.invalidArgument, "LISTEN_FDS names a descriptor that is not open")
        }
        let socket = ListeningSocket(descriptor: descriptor, ownedPath: nil)
        guard option(SO_DOMAIN, of: descriptor) == AF_UNIX,
            option(SO_TYPE, of: descriptor) == CInt(SOCK_STREAM.rawValue),
            option(SO_ACCEPTCONN, of: descriptor) == 1, socket.path != nil
        else {
            throw LinajeError(
                .invalidArgument,
                "systemd handed over something else than a Unix stream socket that listens at a "
                    + "path; use ListenStream=/run/linaje/linaje.sock in linajed.socket")
        }
        return socket
    }

    /// The path that clients connect to; `nil` when the socket has none.
    package var path: String? {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        guard result == 0 else { return nil }
        let path = withUnsafeBytes(of: &address.sun_path) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return path.isEmpty ? nil : path
    }

    private static func option(_ name: CInt, of descriptor: CInt) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    /// Sets the backlog again: SwiftNIO listens with one of its own, 128, on a socket that it was
    /// given, and then connections are refused when many agents start at once. To be called as soon
    /// as it listens.
    package func widenBacklog() { listen(descriptor, Self.backlog) }

    /// Connections that may wait to be accepted.
    private static let backlog: CInt = 4_096

    /// Removes the socket file, if it is ours.
    package func removeFile() {
        if let ownedPath { unlink(ownedPath) }
    }

    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw LinajeError(
                .invalidArgument, "\(path) exists and is no socket; move it or use another path")
        }
        let answer = probe(&address)
        guard answer != 0 else {
            throw LinajeError(
                .alreadyRunning,
                "a daemon already answers on \(path); stop it or use another --socket")
        }
        errno = answer
        guard answer == ECONNREFUSED else { throw failure("probe", path) }
        guard unlink(path) == 0 else { throw failure("replace the stale socket", path) }
    }

    /// Whether the socket file at `path` is left from a process that is gone: nobody answers on it.
    package static func isStale(_ path: String) -> Bool {
        guard var address = try? address(of: path) else { return false }
        return probe(&address) == ECONNREFUSED
    }

    /// The error of a connection to it, 0 when somebody answers.
    private static func probe(_ address: inout sockaddr_un) -> Int32 {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return errno }
        defer { close(probe) }
        return withSocketAddress(&address) { connect(probe, $0, $1) } == 0 ? 0 : errno
    }

    private static func address(of path: String) throws -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard !bytes.isEmpty, bytes.count < capacity else {
            throw LinajeError(
                .invalidArgument,
                "socket path \(path) has \(bytes.count) bytes; at most \(capacity - 1) are allowed")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func withSocketAddress(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ action: String, _ path: String) -> LinajeError {
        let number = errno
        let code: LinajeError.Code =
            switch number {
            case EACCES, EPERM, EROFS: .readOnly
            case EADDRINUSE: .alreadyRunning
            default: .unavailable
            }
        return LinajeError(code, "cannot \(action) \(path): \(String(cString: strerror(number)))")
    }
}
