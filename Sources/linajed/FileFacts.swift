import CStorageCalls
import Glibc
import LinajeDomain

/// What the file system knows of a path.
enum FileFacts {
    /// Whether something is there, a symbolic link included.
    static func exists(_ path: String) -> Bool {
        var status = storage_status()
        return storage_status_of_link(path, &status) == 0
    }

    /// Bytes of a file; -1 when there is none.
    static func size(_ path: String) -> Int64 {
        var status = storage_status()
        return storage_status_of(path, &status) == 0 ? Int64(clamping: status.size) : -1
    }

    /// The names in a folder, without "." and "..", sorted; none when it cannot be read.
    static func names(_ path: String) -> [String] {
        guard let folder = storage_open_folder(path) else { return [] }
        defer { storage_close_folder(folder) }
        var names: [String] = []
        var name = [CChar](repeating: 0, count: 256)
        while storage_next_name(folder, &name) > 0 {
            names.append(
                name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names.sorted()
    }

    /// The folder that holds a path.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes a file's content durable.
    ///
    /// - Throws: `storageFailed` naming it.
    static func sync(_ path: String) throws {
        let descriptor = storage_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { storage_close(descriptor) }
        guard storage_fsync(descriptor) == 0 else { throw failure("sync", path) }
    }

    /// Makes the names in a folder durable.
    ///
    /// - Throws: `storageFailed` naming it.
    static func syncFolder(_ path: String) throws {
        let descriptor = storage_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { storage_close(descriptor) }
        guard storage_fsync(descriptor) == 0 else { throw failure("sync", path) }
    }

    /// What a failed call on a path means, from `errno`.
    static func failure(_ action: String, _ path: String) -> LinajeError {
        let number = errno
        let code: LinajeError.Code =
            switch number {
            case EACCES, EPERM, EROFS: .readOnly
            case ENOSPC, EDQUOT: .storageFull
            default: .storageFailed
            }
        return LinajeError(
            code, "cannot \(action) \(path): \(String(cString: strerror(number)))")
    }
}
