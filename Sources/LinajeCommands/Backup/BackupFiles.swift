import CStorageCalls
import Glibc
import LinajeArtifacts
import LinajeClient
import LinajeDomain

/// A file that is being written, for its owner only. Its calls block.
final class NewFile: Sendable {
    let path: String
    private let descriptor: Int32

    /// Makes the file anew.
    ///
    /// - Parameter owner: whose it is; `nil`: the caller's.
    init(_ path: String, owner: FileOwner? = nil) throws {
        storage_unlink(path)
        let descriptor = storage_open(
            path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw fileError("written", path, errno) }
        self.path = path
        self.descriptor = descriptor
        if let owner, storage_fchown(descriptor, owner.user, owner.group) != 0 {
            throw fileError("given to its owner", path, errno)
        }
    }

    deinit { storage_close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                storage_write(
                    descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fileError("written", path, errno) }
            written += count
        }
    }

    /// Makes what was written durable.
    func sync() throws {
        guard storage_fsync(descriptor) == 0 else { throw fileError("made durable", path, errno) }
    }
}

/// A file that is read in its order. Its calls block.
final class FileInput: Sendable {
    /// Bytes that are read at once.
    static let pieceBytes = 1 << 20

    let path: String
    let size: UInt64
    private let descriptor: Int32

    init(_ path: String) throws {
        let descriptor = storage_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw fileError("read", path, errno) }
        var status = storage_status()
        guard storage_status_of_file(descriptor, &status) == 0 else {
            let number = errno
            storage_close(descriptor)
            throw fileError("read", path, number)
        }
        guard status.mode & S_IFMT == S_IFREG else {
            storage_close(descriptor)
            throw LinajeError(.corrupt, "\(path) is no regular file")
        }
        self.path = path
        self.descriptor = descriptor
        size = status.size
    }

    deinit { storage_close(descriptor) }

    /// The bytes at a place; fewer only at the end.
    func bytes(at place: UInt64, count wanted: Int) throws -> [UInt8] {
        var failed: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            while count < wanted {
                let got = storage_pread(
                    descriptor, buffer.baseAddress.map { $0 + count }, wanted - count,
                    Int64(clamping: place) + Int64(count))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failed = errno }
                guard got > 0 else { break }
                count += got
            }
        }
        guard failed == 0 else { throw fileError("read", path, failed) }
        return bytes
    }

    /// Hands all of it over, in pieces.
    func forEach(_ body: ([UInt8]) throws -> Void) throws {
        var place: UInt64 = 0
        while true {
            let piece = try bytes(at: place, count: Self.pieceBytes)
            guard !piece.isEmpty else { return }
            try body(piece)
            place += UInt64(piece.count)
        }
    }
}

/// Whose files are.
struct FileOwner: Sendable {
    var user: uid_t
    var group: gid_t
}

/// What the file system is asked to do with folders. Its calls block.
enum Folders {
    /// The names in a folder, sorted; `nil` when there is none.
    static func names(_ path: String) throws -> [String]? {
        guard let folder = storage_open_folder(path) else {
            if errno == ENOENT { return nil }
            throw fileError("read", path, errno)
        }
        defer { storage_close_folder(folder) }
        var names: [String] = []
        var name = [CChar](repeating: 0, count: 256)
        while true {
            let found = storage_next_name(folder, &name)
            // Half a list must not be taken for the whole.
            guard found >= 0 else { throw fileError("read", path, errno) }
            guard found > 0 else { return names.sorted() }
            names.append(
                name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
    }

    /// Makes a folder for its owner only, durable in its parent, unless it is there.
    static func make(_ path: String, owner: FileOwner? = nil) throws {
        guard storage_mkdir(path, 0o700) == 0 else {
            guard errno == EEXIST else { throw fileError("made", path, errno) }
            return
        }
        if let owner, storage_chown(path, owner.user, owner.group) != 0 {
            throw fileError("given to its owner", path, errno)
        }
        try sync(parent(of: path))
    }

    /// Makes the names in a folder durable.
    static func sync(_ path: String) throws {
        let descriptor = storage_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw fileError("read", path, errno) }
        defer { storage_close(descriptor) }
        guard storage_fsync(descriptor) == 0 else { throw fileError("made durable", path, errno) }
    }

    /// Gives a file or a folder another name, durably.
    static func move(_ path: String, to target: String) throws {
        guard storage_rename(path, target) == 0 else { throw fileError("written", target, errno) }
        try sync(parent(of: target))
    }

    /// Removes files of a folder and the folder; what is no file stays, and the folder with it.
    static func remove(_ path: String) throws {
        for name in try names(path) ?? [] { storage_unlink("\(path)/\(name)") }
        guard storage_rmdir(path) == 0 || errno == ENOENT else {
            throw fileError("removed", path, errno)
        }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Bytes of a regular file; `nil` when there is none.
    static func size(_ path: String) throws -> UInt64? {
        var status = storage_status()
        guard storage_status_of_link(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw fileError("read", path, errno)
        }
        return status.mode & S_IFMT == S_IFREG ? status.size : nil
    }

    /// A path without slashes at its end.
    static func trimmed(_ path: String) -> String {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        return String(path)
    }
}

/// Checks a pack as a file: its name vouches for its header, and that for every byte of it.
enum PackFile {
    /// Where a pack is below a folder.
    static func path(_ pack: PackName, in folder: String) -> String { "\(folder)/\(pack.key)" }

    /// Reads all of it. Blocks.
    ///
    /// - Throws: `corrupt` saying what is not as it was written, `storeTooNew`, `notFound`.
    static func check(_ path: String, is pack: PackName) throws {
        let input = try FileInput(path)
        let trailerBytes = UInt64(PackHeader.trailerBytes)
        guard input.size > trailerBytes else {
            throw LinajeError(.corrupt, "\(path) is too short for a pack")
        }
        let trailer = try PackTrailer(
            input.bytes(at: input.size - trailerBytes, count: PackHeader.trailerBytes),
            size: input.size, pack: pack)
        let header = try PackHeader(
            input.bytes(
                at: input.size - trailerBytes - UInt64(trailer.headerLength),
                count: trailer.headerLength),
            trailer: trailer, size: input.size, pack: pack)
        guard try input.bytes(at: 0, count: PackHeader.magic.count) == PackHeader.magic else {
            throw LinajeError(.corrupt, "\(path) does not begin as packs do")
        }
        var entries = header.entries[...]
        var hasher = ContentHasher()
        var rest = entries.first.map { Int($0.storedLength) } ?? 0
        var place = UInt64(PackHeader.magic.count)
        while let entry = entries.first {
            // Pieces of many blobs at once: most have some tens of KiB.
            let piece = try input.bytes(at: place, count: FileInput.pieceBytes)
            guard !piece.isEmpty else {
                throw LinajeError(.corrupt, "\(path) ends within \(entry.key)")
            }
            place += UInt64(piece.count)
            var left = piece[...]
            while let entry = entries.first, !left.isEmpty {
                let part = left.prefix(rest)
                part.withUnsafeBytes { hasher.update($0) }
                left = left.dropFirst(part.count)
                rest -= part.count
                guard rest == 0 else { break }
                guard BlobCheck(hasher.digest) == entry.check else {
                    throw LinajeError(.corrupt, "\(path): \(entry.key) is damaged")
                }
                entries = entries.dropFirst()
                hasher = ContentHasher()
                rest = entries.first.map { Int($0.storedLength) } ?? 0
            }
        }
    }
}
