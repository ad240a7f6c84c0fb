import CStorageCalls
import FoundationEssentials
import Glibc
import LinajeDomain

/// Puts what is about to be changed aside, in `recovered/TIME/` of the state directory.
struct SafeCopy {
    /// The folder of this recovery.
    let folder: String
    private let root: String

    /// - Parameter directory: the state directory; nothing is made in it before something is kept.
    init(_ directory: String, now: Timestamp) {
        root = "\(directory)/recovered"
        let date = Date(timeIntervalSince1970: Double(now.microseconds / 1_000_000))
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
        folder = "\(root)/\(date.formatted(style))"
    }

    /// Removes copies that an earlier recovery did not complete.
    func removeUnfinished() {
        for name in FileFacts.names(root) {
            for file in FileFacts.names("\(root)/\(name)") where file.hasSuffix(".part") {
                storage_unlink("\(root)/\(name)/\(file)")
            }
        }
    }

    /// Copies a database and the log beside it, durably. One that is kept already is not copied
    /// again.
    ///
    /// - Returns: where the copy is.
    /// - Throws: `storageFull` before anything is written, when there is no room.
    func keep(database path: String) throws -> String {
        let name = String(path.dropFirst(FileFacts.folder(of: path).count + 1))
        let copy = "\(folder)/\(name)"
        guard !FileFacts.exists(copy) else { return copy }
        let files = ["-wal", ""].filter { FileFacts.size(path + $0) > 0 }
        try Self.requireRoom(
            files.reduce(0) { $0 + FileFacts.size(path + $1) }, beside: path, to: "keep a copy")
        try makeFolders(folder)
        // The database last: where it stands, its log does too.
        for suffix in files {
            try Self.copy(path + suffix, to: copy + suffix + ".part")
            guard storage_rename(copy + suffix + ".part", copy + suffix) == 0 else {
                throw FileFacts.failure("rename", copy + suffix + ".part")
            }
        }
        try FileFacts.syncFolder(folder)
        return copy
    }

    /// Moves a file out of the way.
    func move(_ path: String, to name: String) throws {
        let target = "\(folder)/\(name)"
        try makeFolders(FileFacts.folder(of: target))
        guard storage_rename(path, target) == 0 else { throw FileFacts.failure("move aside", path) }
        try FileFacts.syncFolder(FileFacts.folder(of: target))
        try FileFacts.syncFolder(FileFacts.folder(of: path))
    }

    /// - Throws: `storageFull` when the file system of `path` has less than `bytes` free.
    static func requireRoom(_ bytes: Int64, beside path: String, to purpose: String) throws {
        var status = statvfs()
        guard statvfs(FileFacts.folder(of: path), &status) == 0 else { return }
        let free = Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
        guard free < bytes else { return }
        throw LinajeError(
            .storageFull,
            "no room to \(purpose) of \(path): \(ByteCount(UInt64(clamping: bytes))) are needed, "
                + "\(ByteCount(UInt64(clamping: free))) are free; free space and run it again")
    }

    /// Copies a file, sharing its blocks where the file system can; synced at the end.
    static func copy(_ path: String, to target: String) throws {
        let input = storage_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard input >= 0 else { throw FileFacts.failure("open", path) }
        defer { storage_close(input) }
        let output = storage_open(
            target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard output >= 0 else { throw FileFacts.failure("make", target) }
        defer { storage_close(output) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = storage_copy_range(input, output, 1 << 30)
            if count > 0 { continue }
            // At the end, or the file system cannot: what is left is copied by hand.
            let got = storage_read(input, &buffer, buffer.count)
            guard got >= 0 else { throw FileFacts.failure("read", path) }
            if got == 0 { break }
            var written = 0
            while written < got {
                let put = buffer.withUnsafeBytes {
                    storage_write(output, $0.baseAddress.map { $0 + written }, got - written)
                }
                guard put > 0 else {
                    let failure = FileFacts.failure("write", target)
                    storage_unlink(target)
                    throw failure
                }
                written += put
            }
        }
        guard storage_fsync(output) == 0 else { throw FileFacts.failure("sync", target) }
    }

    private func makeFolders(_ path: String) throws {
        var made = FileFacts.folder(of: root)
        for part in path.dropFirst(made.count + 1).split(separator: "/") {
            let parent = made
            made += "/\(part)"
            guard storage_mkdir(made, 0o700) == 0 || errno == EEXIST else {
                throw FileFacts.failure("make", made)
            }
            try FileFacts.syncFolder(parent)
        }
    }
}
