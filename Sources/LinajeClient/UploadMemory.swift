import Glibc
import LinajeDomain

/// What a client remembers of the last upload of a folder, so that files which have not changed since
/// are not read again: the tree, and of each of its files how it looked when it was read.
///
/// It is only asked what need not be read. What it says of the store the daemon checks, and what is
/// lost or damaged of it costs one reading of all files.
struct UploadMemory: Sendable {
    /// A file as it was uploaded.
    struct File: Sendable, Hashable {
        var path: TreePath
        var mode: FileMode
        var stamp: FileStamp
        var sha256: SHA256Digest
        /// Whether a change after it was read would show in the stamp.
        var isSure: Bool
    }

    /// Clocks of file systems are coarse: a file that was written shortly before it was read may be
    /// written once more without another time (as Git's "racy" entries).
    static let doubt: Int64 = 2_000_000_000

    /// The tree.
    var tree: SHA256Digest
    /// Its files, in its order.
    var files: [File]
    /// Where they stand; only of downloads, whose files others may be linked to.
    var folder: String?

    /// Which files of the tree are as they were, and which are to be read.
    ///
    /// - Parameter files: by path.
    func compare(_ files: [LocalFile]) -> (kept: [UInt8], keptFiles: [File], changed: [LocalFile]) {
        var kept = [UInt8](repeating: 0, count: (self.files.count + 7) / 8)
        var keptFiles: [File] = []
        var changed: [LocalFile] = []
        var index = 0
        for file in files {
            while index < self.files.count, self.files[index].path < file.path { index += 1 }
            guard index < self.files.count, self.files[index].isSame(as: file) else {
                changed.append(file)
                continue
            }
            kept[index >> 3] |= 1 << UInt8(index & 7)
            keptFiles.append(self.files[index])
        }
        return (kept, keptFiles, changed)
    }
}

extension UploadMemory.File {
    /// A file that was read at a moment.
    init(_ file: LocalFile, _ stamp: FileStamp, _ sha256: SHA256Digest, readAt: Timestamp) {
        let last = max(stamp.modified, stamp.changed)
        self.init(
            path: file.path, mode: file.mode, stamp: stamp, sha256: sha256,
            isSure: last < readAt.microseconds &* 1_000 &- UploadMemory.doubt)
    }

    /// Whether the file is as it was when it was read.
    func isSame(as file: LocalFile) -> Bool {
        isSure && stamp == file.stamp && mode == file.mode && path == file.path
    }
}

/// Where upload memories are kept: one file for each folder and daemon, of which the oldest go.
///
/// ```
/// file  = "LNJU1\n" | tree 32 | u32 count | count * entry | SHA-256 of all before
///       | "LNJD1\n" | u16 length | folder | the same from the tree on
/// entry = u16 length | path | u8 sure | u32 mode | u64 size | i64 modified | i64 changed | u64 inode
///       | u64 device | sha256 32                     all little-endian
/// ```
struct UploadMemoryStore: Sendable {
    /// Memories that are kept, at most.
    static let maximumFiles = 64
    /// The longest that is read.
    private static let maximumBytes = 2 << 30
    private static let magic = Array("LNJU1\n".utf8)
    private static let magicOfDownload = Array("LNJD1\n".utf8)

    private let folder: String
    private let file: String
    /// What is remembered of, without links.
    let path: String

    /// - Parameters:
    ///   - folder: where memories are.
    ///   - path: what is uploaded; its links are resolved.
    ///   - socket: of the daemon.
    init?(folder: String, path: String, socket: String) {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        let resolved = String(cString: real)
        self.path = resolved
        let key = Array((resolved + "\0" + socket).utf8)
        guard let name = try? ContentHash.digest(of: key) else { return nil }
        self.folder = folder
        file = folder + "/" + Hex.encode(Array(name.bytes.prefix(16)))
    }

    /// What is remembered; `nil` when nothing is, or it cannot be read.
    func load() -> UploadMemory? { Self.load(file) }

    /// What is remembered of other folders, the last ones first.
    func loadOthers(atMost limit: Int) -> [UploadMemory] {
        Self.files(in: folder).sorted { $0.used > $1.used }.lazy.map(\.path)
            .filter { $0 != file }.prefix(limit).compactMap(Self.load)
    }

    private static func load(_ file: String) -> UploadMemory? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_uid == geteuid(), status.st_size <= maximumBytes
        else { return nil }
        let size = Int(status.st_size)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size, let base = buffer.baseAddress {
                let got = read(descriptor, base + count, size - count)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return }
                count += got
            }
        }
        return try? decode(bytes)
    }

    /// Remembers an upload; what cannot be written is not remembered.
    func save(_ memory: UploadMemory) {
        guard Self.makeFolders(folder) else { return }
        let temporary = "\(file).\(getpid())"
        let descriptor = open(
            temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        let bytes = (try? Self.encode(memory)) ?? []
        let isWritten = bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = write(descriptor, part.baseAddress, part.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
        guard close(descriptor) == 0, isWritten, rename(temporary, file) == 0 else {
            unlink(temporary)
            return
        }
        dropOldest()
    }

    /// Forgets it.
    func forget() { unlink(file) }

    // MARK: The file

    private static func encode(_ memory: UploadMemory) throws -> [UInt8] {
        var out = memory.folder == nil ? magic : magicOfDownload
        out.reserveCapacity(64 + memory.files.count * 160)
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
        }
        if let folder = memory.folder?.utf8 {
            guard let length = UInt16(exactly: folder.count) else { throw Damaged() }
            append(length)
            out.append(contentsOf: folder)
        }
        out += memory.tree.bytes
        append(UInt32(memory.files.count))
        for file in memory.files {
            let path = file.path.text.utf8
            append(UInt16(path.count))
            out.append(contentsOf: path)
            append(UInt8(file.isSure ? 1 : 0))
            append(file.mode.rawValue)
            append(file.stamp.size)
            append(file.stamp.modified)
            append(file.stamp.changed)
            append(file.stamp.inode)
            append(file.stamp.device)
            out += file.sha256.bytes
        }
        out += try ContentHash.digest(of: out).bytes
        return out
    }

    private struct Damaged: Error {}

    private static func decode(_ bytes: [UInt8]) throws -> UploadMemory {
        let isDownload = bytes.starts(with: magicOfDownload)
        guard bytes.count > magic.count + 36 + 32, isDownload || bytes.starts(with: magic),
            try ContentHash.digest(of: Array(bytes.dropLast(32))).bytes
                .elementsEqual(bytes.suffix(32))
        else { throw Damaged() }
        return try bytes.withUnsafeBytes { all in
            let body = all[..<(all.count - 32)]
            var place = magic.count
            func bytes(_ count: Int) throws -> Slice<UnsafeRawBufferPointer> {
                guard count <= body.count - place else { throw Damaged() }
                defer { place += count }
                return body[place..<place + count]
            }
            func number<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
                let part = UnsafeRawBufferPointer(
                    rebasing: try bytes(MemoryLayout<Value>.size))
                return Value(littleEndian: part.loadUnaligned(as: Value.self))
            }
            func digest() throws -> SHA256Digest {
                try SHA256Digest(try bytes(32), noun: "digest")
            }
            func text(_ length: Int) throws -> String {
                String(
                    decoding: UnsafeRawBufferPointer(rebasing: try bytes(length)), as: UTF8.self)
            }
            let folder = isDownload ? try text(Int(try number(UInt16.self))) : nil
            let tree = try digest()
            let count = Int(try number(UInt32.self))
            guard count <= Limits.treeEntries, count <= body.count / 75 else { throw Damaged() }
            var files: [UploadMemory.File] = []
            files.reserveCapacity(count)
            for _ in 0..<count {
                let length = Int(try number(UInt16.self))
                let path = try TreePath(try text(length))
                let isSure = try number(UInt8.self) == 1
                let mode = try FileMode(wire: try number(UInt32.self))
                let stamp = FileStamp(
                    size: try number(UInt64.self), modified: try number(Int64.self),
                    changed: try number(Int64.self), inode: try number(UInt64.self),
                    device: try number(UInt64.self))
                files.append(
                    UploadMemory.File(
                        path: path, mode: mode, stamp: stamp, sha256: try digest(),
                        isSure: isSure))
            }
            return UploadMemory(tree: tree, files: files, folder: folder)
        }
    }

    // MARK: The folder

    private static func makeFolders(_ path: String) -> Bool {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex,
            makeFolders(String(path[..<slash]))
        else { return false }
        return mkdir(path, 0o700) == 0 || errno == EEXIST
    }

    private func dropOldest() {
        var found = Self.files(in: folder)
        guard found.count > Self.maximumFiles else { return }
        found.sort { $0.used > $1.used }
        for old in found[Self.maximumFiles...] { unlink(old.path) }
    }

    private static func files(in folder: String) -> [(path: String, used: Int)] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [(path: String, used: Int)] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            let path = folder + "/" + name
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            found.append((path, status.st_mtim.tv_sec))
        }
        return found
    }
}
