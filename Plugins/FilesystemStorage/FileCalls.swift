import CStorageCalls
import Glibc
package import LinajeDomain

/// System calls on files, repeated when a signal interrupts them, with errors a person can act on.
///
/// All go through `CStorageCalls`, where tests count them and make them fail; `scripts/check-layers`
/// refuses others here.
package enum FileCalls {
    /// - Parameters:
    ///   - doing: what was tried, for the message: "write", "open".
    ///   - path: the file or folder.
    package static func error(_ doing: String, _ path: String, _ number: Int32 = errno)
        -> LinajeError
    {
        let reason = String(cString: strerror(number))
        let (code, advice): (LinajeError.Code, String) =
            switch number {
            case ENOSPC, EDQUOT: (.storageFull, "free space and try again")
            case EROFS, EACCES, EPERM: (.readOnly, "fix its permissions or mount")
            case ENOENT, ENOTDIR: (.notFound, "check its name")
            case ELOOP: (.corrupt, "it is a link; restore it from a copy")
            case EMFILE, ENFILE, ENOMEM: (.unavailable, "raise the limits of the process")
            default: (.storageFailed, "check the disk and restart the daemon")
            }
        return LinajeError(code, "cannot \(doing) \(path): \(reason); \(advice)")
    }

    /// The error of an fsync that failed. Whatever its number: the kernel may have dropped the
    /// pages, and a second fsync would succeed without them.
    package static func syncError(_ path: String, _ number: Int32 = errno) -> LinajeError {
        let reason = String(cString: strerror(number))
        return LinajeError(
            .storageFailed,
            "cannot fsync \(path): \(reason); check the disk and restart the daemon")
    }

    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws -> Int32 {
        let descriptor = retrying { storage_open(path, flags | O_CLOEXEC, mode) }
        guard descriptor >= 0 else { throw error("open", path) }
        return descriptor
    }

    /// Writes all of `bytes`, however often it takes.
    static func write(_ descriptor: Int32, _ bytes: [UInt8], path: String) throws {
        try bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = retrying { storage_write(descriptor, part.baseAddress, part.count) }
                guard count > 0 else { throw error("write", path, count == 0 ? EIO : errno) }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Reads `count` bytes from `offset`; fewer only at the end of the file.
    static func read(
        _ descriptor: Int32, offset: UInt64, count: Int, path: String
    ) throws -> [UInt8] {
        var failed: Int32 = 0
        let out = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let at = Int64(clamping: offset) + Int64(filled)
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let got = retrying { storage_pread(descriptor, part.baseAddress, part.count, at) }
                if got < 0 { failed = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard failed == 0 else { throw error("read", path, failed) }
        return out
    }

    /// Closes a descriptor. What was written before is safe only after `sync`, so that nothing is
    /// lost with an error here.
    static func close(_ descriptor: Int32) { _ = storage_close(descriptor) }

    /// Removes a file.
    ///
    /// - Returns: 0, or the error number: `ENOENT` when there is none.
    @discardableResult
    static func unlink(_ path: String) -> Int32 { storage_unlink(path) == 0 ? 0 : errno }

    /// Gives an object its name.
    static func rename(_ old: String, to new: String) throws {
        guard storage_rename(old, new) == 0 else { throw error("rename \(old) to", new) }
    }

    /// Kind and size of an open file.
    static func status(_ descriptor: Int32, path: String) throws -> storage_status {
        var status = storage_status()
        guard storage_status_of_file(descriptor, &status) == 0 else {
            throw error("look at", path)
        }
        return status
    }

    /// Makes a file or a folder durable.
    static func sync(_ descriptor: Int32, path: String) throws {
        guard retrying({ storage_fsync(descriptor) }) == 0 else { throw syncError(path) }
    }

    /// Makes the names in a folder durable.
    static func syncFolder(_ path: String) throws {
        let descriptor = try Self.open(path, O_RDONLY | O_DIRECTORY)
        defer { Self.close(descriptor) }
        try sync(descriptor, path: path)
    }

    /// Makes a folder; false when it is there already.
    static func makeFolder(_ path: String) throws -> Bool {
        if storage_mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw error("make folder", path) }
        return false
    }

    /// The names in a folder but "." and "..", in no order; none when it is not there.
    static func names(_ path: String) throws -> [String] {
        guard let folder = storage_open_folder(path) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw error("list", path)
        }
        defer { storage_close_folder(folder) }
        var out: [String] = []
        var name = [CChar](repeating: 0, count: 256)
        while true {
            let found = storage_next_name(folder, &name)
            guard found > 0 else {
                guard found == 0 else { throw error("list", path) }
                return out
            }
            out.append(
                name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
    }

    /// Kind and size of what is at `path`, itself when it is a link; `nil` when nothing is.
    static func status(_ path: String) throws -> storage_status? {
        var status = storage_status()
        if storage_status_of_link(path, &status) == 0 { return status }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw error("look at", path)
    }

    static func isFile(_ status: storage_status) -> Bool { status.mode & S_IFMT == S_IFREG }
    static func isFolder(_ status: storage_status) -> Bool { status.mode & S_IFMT == S_IFDIR }

    private static func retrying<Value: SignedInteger>(_ call: () -> Value) -> Value {
        while true {
            let value = call()
            if value != -1 || errno != EINTR { return value }
        }
    }
}
