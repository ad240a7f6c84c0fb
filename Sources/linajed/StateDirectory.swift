import CStorageCalls
import Glibc
import LinajeDomain

/// The one directory that a daemon writes to, held by a lock as long as it runs.
final class StateDirectory: Sendable {
    let path: String
    private let lock: CInt

    /// Creates the directory with mode 0700 if it is not there, checks that it is ours and
    /// private, and takes its lock.
    ///
    /// - Throws: `alreadyRunning` when another daemon holds it, `readOnly` when it cannot be
    ///   written, `permissionDenied` when it is somebody else's or others could change it.
    init(_ path: String) throws {
        self.path = path
        try Self.create(path)
        var status = storage_status()
        guard storage_status_of(path, &status) == 0 else {
            throw FileFacts.failure("examine", path)
        }
        guard status.mode & S_IFMT == S_IFDIR else {
            throw LinajeError(.invalidArgument, "state directory \(path) is no directory")
        }
        guard status.owner == getuid(), status.mode & 0o022 == 0 else {
            throw LinajeError(
                .permissionDenied,
                "state directory \(path) must belong to user \(getuid()) and not be writable by "
                    + "others; run chown and chmod 0700 on it")
        }
        guard access(path, W_OK) == 0, !Self.isReadOnlyMount(path) else {
            throw LinajeError(
                .readOnly,
                "state directory \(path) cannot be written; fix its permissions or mount")
        }
        lock = try Self.takeLock(path)
    }

    /// Takes the lock of a directory that is there and ours, whatever its mode.
    ///
    /// - Throws: `notFound`, `permissionDenied` when it is somebody else's, `alreadyRunning`.
    init(recovering path: String) throws {
        self.path = path
        var status = storage_status()
        guard storage_status_of(path, &status) == 0, status.mode & S_IFMT == S_IFDIR else {
            throw LinajeError(
                .notFound, "state directory \(path) is not there; check --state-directory")
        }
        guard status.owner == getuid() else {
            throw LinajeError(
                .permissionDenied,
                "state directory \(path) belongs to user \(status.owner); run this as that user")
        }
        lock = try Self.takeLock(path)
    }

    private static func takeLock(_ path: String) throws -> CInt {
        let lock = storage_open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw FileFacts.failure("create the lock in", path) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            storage_close(lock)
            throw LinajeError(
                .alreadyRunning,
                "another daemon runs on state directory \(path); stop it or use another "
                    + "--state-directory")
        }
        return lock
    }

    deinit { storage_close(lock) }

    private static func create(_ path: String) throws {
        var status = storage_status()
        if storage_status_of(path, &status) == 0 { return }
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += part
            if storage_mkdir(prefix, 0o700) != 0, errno != EEXIST {
                throw FileFacts.failure("create", prefix)
            }
            prefix += "/"
        }
    }

    private static func isReadOnlyMount(_ path: String) -> Bool {
        var status = statvfs()
        return statvfs(path, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }
}
