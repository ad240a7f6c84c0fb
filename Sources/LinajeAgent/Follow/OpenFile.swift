import Glibc
import LinajeDomain

/// A file that is open for reading; closed with the value. Its calls may block.
final class OpenFile: Sendable {
    /// Which file it is, whatever its name.
    struct Identity: Sendable, Hashable {
        var device: UInt64
        var inode: UInt64
    }

    let path: String
    let identity: Identity
    private let descriptor: Int32

    /// - Throws: `notFound` and the like, naming the file.
    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.error(path, errno) }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let number = errno
            close(descriptor)
            throw Self.error(path, number)
        }
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw LinajeError(
                .invalidArgument, "\(path) is no regular file; name a file that grows")
        }
    }

    deinit { close(descriptor) }

    /// Its length now.
    func size() throws -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error(path, errno) }
        return UInt64(clamping: status.st_size)
    }

    /// At most `count` bytes from `offset` on; fewer at the end.
    func read(at offset: UInt64, count: Int) throws -> [UInt8] {
        guard let place = off_t(exactly: offset) else { return [] }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            while true {
                let got = pread(descriptor, buffer.baseAddress, count, place)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                used = max(0, got)
                return
            }
        }
        guard failure == 0 else { throw Self.error(path, failure) }
        return bytes
    }

    /// Which file has this name now; `nil` when there is none.
    static func identity(of path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    private static func error(_ path: String, _ number: Int32) -> LinajeError {
        let code: LinajeError.Code =
            switch number {
            case ENOENT: .notFound
            case EACCES, EPERM: .permissionDenied
            default: .failedPrecondition
            }
        return LinajeError(code, "\(path) cannot be read: \(String(cString: strerror(number)))")
    }
}
