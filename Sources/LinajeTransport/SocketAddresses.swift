import Glibc
import LinajeDomain

/// Where the daemon's socket is: the table of PROTOCOL.md, "Finding the socket", that every client
/// and the daemon share.
package enum SocketAddresses {
    /// The socket of a daemon that serves the whole system.
    package static let system = "/run/linaje/linaje.sock"

    /// Where the socket of the user's own daemon is, whether or not it exists:
    /// `$XDG_RUNTIME_DIR/linaje/linaje.sock`, or where that is unset
    /// `$TMPDIR/linaje-UID/linaje.sock`.
    package static func user(environment: [String: String]) -> String {
        userDirectory(environment: environment) + "/linaje.sock"
    }

    /// The folder of the user's socket. The daemon creates it with mode 0700.
    package static func userDirectory(environment: [String: String]) -> String {
        if let runtime = environment["XDG_RUNTIME_DIR"], !runtime.isEmpty {
            return trimmed(runtime) + "/linaje"
        }
        let temporary = environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        return trimmed(temporary) + "/linaje-\(getuid())"
    }

    /// Which line of the table names a socket.
    package enum Rule: String, Sendable, Hashable {
        /// The caller names it: `--socket`.
        case option
        /// `LINAJE_SOCKET` names it.
        case environment
        /// It is the user's own, which is there.
        case user
        /// It is the system's, because nothing else names one.
        case system
    }

    /// The socket a client connects to: `explicit`, else `LINAJE_SOCKET`, else the user's if it is
    /// there, else the system's.
    ///
    /// - Throws: `invalidArgument` for a path too long for a socket; `permissionDenied` when the
    ///   user's folder under the temporary folder is not private: somebody else may have put a
    ///   socket of their own there.
    package static func find(
        explicit: String? = nil, environment: [String: String]
    ) throws -> String {
        try choose(explicit: explicit, environment: environment).path
    }

    /// What `find` finds, and by which rule.
    package static func choose(
        explicit: String? = nil, environment: [String: String]
    ) throws -> (path: String, rule: Rule) {
        if let explicit, !explicit.isEmpty { return (try checked(explicit), .option) }
        if let named = environment["LINAJE_SOCKET"], !named.isEmpty {
            return (try checked(named), .environment)
        }
        let path = user(environment: environment)
        var status = stat()
        guard lstat(path, &status) == 0 else { return (system, .system) }
        if environment["XDG_RUNTIME_DIR"]?.isEmpty ?? true {
            try checkPrivate(userDirectory(environment: environment))
        }
        return (try checked(path), .user)
    }

    /// Checks that a folder is a folder of this user with mode 0700, and no link.
    ///
    /// - Throws: `permissionDenied` naming the folder and what to do.
    package static func checkPrivate(_ directory: String) throws {
        var status = stat()
        guard lstat(directory, &status) == 0 else {
            throw LinajeError(
                .permissionDenied,
                "folder \(directory) cannot be examined: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(),
            status.st_mode & 0o777 == 0o700
        else {
            throw LinajeError(
                .permissionDenied,
                "folder \(directory) must be a folder of yours with mode 0700; remove it or name "
                    + "the socket with --socket")
        }
    }

    /// Checks that a path fits into a socket address.
    ///
    /// - Throws: `invalidArgument` with the bound.
    package static func checked(_ path: String) throws -> String {
        let bound = 107
        guard path.utf8.count <= bound, !path.utf8.contains(0) else {
            throw LinajeError(
                .invalidArgument,
                "socket path \"\(path.prefix(120))\" has \(path.utf8.count) bytes; at most "
                    + "\(bound) are allowed: choose a shorter folder")
        }
        return path
    }

    private static func trimmed(_ directory: String) -> String {
        var text = directory[...]
        while text.count > 1, text.last == "/" { text = text.dropLast() }
        return String(text)
    }
}
