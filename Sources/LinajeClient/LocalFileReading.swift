import Glibc
import LinajeDomain

/// Reads one local file once, from begin to end, and notices when it changes meanwhile.
///
/// Used by one task at a time; its calls block.
final class LocalFileReading: Sendable {
    /// How much is read at once.
    static let pieceBytes = 256 << 10

    private let descriptor: Int32
    private let source: String
    /// As it was when it was opened; its size is what is announced to the daemon.
    let stamp: FileStamp
    var size: UInt64 { stamp.size }

    /// Opens a file that was a regular file when its folder was walked. It is opened without
    /// following links and without waiting for a FIFO's writer, and looked at again.
    convenience init(_ source: String, followingLink: Bool = false) throws {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followingLink ? 0 : O_NOFOLLOW)
        let descriptor = open(source, flags)
        guard descriptor >= 0 else { throw fileError("read", source, errno) }
        try self.init(descriptor: descriptor, source: source)
    }

    /// Reads a file that was opened without waiting.
    ///
    /// - Parameter descriptor: is closed with the reading, also when this throws.
    init(descriptor: Int32, source: String) throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let number = errno
            close(descriptor)
            throw fileError("read", source, number)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw LocalTree.unsupported(source, status)
        }
        self.descriptor = descriptor
        self.source = source
        stamp = FileStamp(status)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { close(descriptor) }

    /// The bytes at `offset`; fewer than `pieceBytes` only before the end of the announced size.
    ///
    /// - Throws: `incomplete` naming the file when it has become shorter.
    func piece(at offset: UInt64, into hasher: inout ContentHash) throws -> [UInt8] {
        let wanted = Int(min(UInt64(Self.pieceBytes), size - offset))
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            while count < wanted {
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
                let got = pread(
                    descriptor, room.baseAddress, wanted - count, off_t(offset) + off_t(count))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { break }
                count += got
            }
        }
        guard failure == 0 else { throw fileError("read", source, failure) }
        guard bytes.count == wanted else { throw changed() }
        hasher.update(bytes)
        return bytes
    }

    /// - Throws: `incomplete` naming the file unless it is as it was when it was opened.
    func checkUnchanged() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fileError("read", source, errno) }
        guard FileStamp(status) == stamp else { throw changed() }
    }

    /// Makes the file executable for those who may read it, or for nobody; says how it looks then,
    /// `nil` when that cannot be.
    func setExecutable(_ isExecutable: Bool) -> FileStamp? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let bits = status.st_mode & 0o7777
        let wanted = isExecutable ? bits | (bits & 0o444) >> 2 : bits & ~0o111
        if (LocalTree.mode(status) == .executable) != isExecutable {
            guard fchmod(descriptor, wanted) == 0, fstat(descriptor, &status) == 0 else {
                return nil
            }
        }
        return FileStamp(status)
    }

    private func changed() -> LinajeError {
        LinajeError(
            .incomplete,
            "\(source) changed while it was read; nothing was stored: try again when nobody "
                + "writes it")
    }

    /// All of a file that is not long, and its digest; `nil` when it is longer than `limit`.
    static func whole(
        _ source: String, followingLink: Bool, limit: Int
    ) throws -> (bytes: [UInt8], digest: SHA256Digest, stamp: FileStamp)? {
        let reading = try LocalFileReading(source, followingLink: followingLink)
        guard reading.size <= UInt64(limit) else { return nil }
        var hasher = ContentHash()
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < reading.size {
            let piece = try reading.piece(at: UInt64(bytes.count), into: &hasher)
            if bytes.isEmpty { bytes = piece } else { bytes += piece }
        }
        try reading.checkUnchanged()
        return (bytes, try hasher.digest(), reading.stamp)
    }
}
