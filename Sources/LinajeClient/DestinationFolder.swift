import CLinux
import Glibc
import LinajeDomain
import Synchronization

/// A folder of this machine into which a tree is written, and nothing outside it.
///
/// Whatever stands below it is reached from its open descriptor, never through a symbolic link: by
/// openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS where the kernel has it, else step by step. So
/// neither a path of the tree nor a link that stands there already leads outside. Files appear
/// whole, by rename. Its calls block.
final class DestinationFolder: Sendable {
    private let root: FolderDescriptor
    /// Its path as it was named, with "/" at its end.
    let shown: String
    private let usesOpenat2: Bool
    /// The folder that was used last: the files of a folder come one after the other.
    private let last = Mutex<(path: String, folder: FolderDescriptor)?>(nil)

    /// Opens a folder, which is created with its parents when it is not there. The folder itself
    /// may be reached by links: its user named it.
    init(_ path: String, usesOpenat2: Bool = true) throws {
        try Self.create(path)
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fileError("opened", path, errno) }
        root = FolderDescriptor(descriptor)
        self.usesOpenat2 = usesOpenat2
        shown = path.hasSuffix("/") ? path : path + "/"
    }

    // MARK: Writing

    /// A file that is being written: it has a temporary name until `commit`.
    func begin(_ path: TreePath, executable: Bool) throws -> PartialFile {
        let (folder, name) = try parent(of: path)
        let temporary = Self.temporaryName()
        let file = openat(
            folder.descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
            executable ? 0o777 : 0o666)
        guard file >= 0 else { throw fileError("written", shown + path.text, errno) }
        return PartialFile(
            descriptor: file, folder: folder, temporary: temporary, name: name,
            shown: shown + path.text)
    }

    /// As `begin`, for a long file: its temporary name tells what it will hold, so that the bytes of
    /// an attempt that was interrupted, even by a kill, are found by the next one.
    func resume(_ path: TreePath, executable: Bool, sha256: SHA256Digest) throws -> PartialFile {
        let (folder, name) = try parent(of: path)
        let temporary =
            ".linaje-\(sha256.description.prefix(32))\(executable ? "-x" : "").part"
        let file = openat(
            folder.descriptor, temporary,
            O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, executable ? 0o777 : 0o666)
        var status = stat()
        // What another process writes now, or somebody else has put there, is left alone.
        guard file >= 0, flock(file, LOCK_EX | LOCK_NB) == 0, fstat(file, &status) == 0,
            status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink == 1
        else {
            if file >= 0 { close(file) }
            return try begin(path, executable: executable)
        }
        return PartialFile(
            descriptor: file, folder: folder, temporary: temporary, name: name,
            shown: shown + path.text, resumed: UInt64(clamping: status.st_size))
    }

    /// Makes a symbolic link, in place of what has its name.
    func link(_ path: TreePath, to target: [UInt8]) throws {
        guard !target.isEmpty, !target.contains(0),
            let text = String(validating: target, as: UTF8.self)
        else {
            throw LinajeError(.corrupt, "link \(path) has a target that no link can have")
        }
        let (folder, name) = try parent(of: path)
        let temporary = Self.temporaryName()
        guard symlinkat(text, folder.descriptor, temporary) == 0 else {
            throw fileError("written", shown + path.text, errno)
        }
        guard renameat(folder.descriptor, temporary, folder.descriptor, name) == 0 else {
            let number = errno
            unlinkat(folder.descriptor, temporary, 0)
            throw Self.renameError(shown + path.text, number)
        }
    }

    /// Makes another name of an open file that nobody may write to, in place of what has that name;
    /// `nil` when the file system cannot.
    func hardLink(_ path: TreePath, to file: Int32) throws -> FileStamp? {
        let (folder, name) = try parent(of: path)
        let temporary = Self.temporaryName()
        guard
            linkat(
                AT_FDCWD, "/proc/self/fd/\(file)", folder.descriptor, temporary,
                AT_SYMLINK_FOLLOW) == 0
        else { return nil }
        guard renameat(folder.descriptor, temporary, folder.descriptor, name) == 0 else {
            let number = errno
            unlinkat(folder.descriptor, temporary, 0)
            throw Self.renameError(shown + path.text, number)
        }
        // Where both were the same file already, renaming does nothing.
        unlinkat(folder.descriptor, temporary, 0)
        var status = stat()
        guard fstat(file, &status) == 0 else { throw fileError("read", shown + path.text, errno) }
        return FileStamp(status)
    }

    /// Whether the clock of the file system has gone on since `moment`, in nanoseconds, so that a
    /// change of a file from now on shows in its times; waited for a little.
    func clockPasses(_ moment: Int64) -> Bool {
        let temporary = Self.temporaryName()
        let file = openat(
            root.descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer {
            close(file)
            unlinkat(root.descriptor, temporary, 0)
        }
        for _ in 0..<25 {
            var status = stat()
            guard futimens(file, nil) == 0, fstat(file, &status) == 0 else { return false }
            if FileStamp(status).changed > moment { return true }
            usleep(2_000)
        }
        return false
    }

    // MARK: Looking

    /// What stands at a path, itself when it is a link; `nil` when nothing does.
    func status(_ path: TreePath) throws -> stat? {
        guard let (folder, name) = try existingParent(of: path) else { return nil }
        var status = stat()
        if fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        guard errno == ENOENT || errno == ENOTDIR else {
            throw fileError("read", shown + path.text, errno)
        }
        return nil
    }

    /// Opens a file that stands there; `nil` when there is none, or none that may be read.
    func read(_ path: TreePath) throws -> LocalFileReading? {
        guard let (folder, name) = try existingParent(of: path) else { return nil }
        let file = openat(
            folder.descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        return try? LocalFileReading(descriptor: file, source: shown + path.text)
    }

    /// The target of a link that stands there.
    func target(_ path: TreePath) throws -> [UInt8]? {
        guard let (folder, name) = try existingParent(of: path) else { return nil }
        let room = Limits.linkTargetBytes + 1
        var length = -1
        let target = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) { text in
                guard let start = text.baseAddress else { return }
                length = readlinkat(folder.descriptor, name, start, room)
            }
            count = max(0, length)
        }
        return length >= 0 && length < room ? target : nil
    }

    /// Removes what is in the folder and not in the tree, links themselves, never what they lead to.
    ///
    /// - Parameter onlyObstacles: only what stands where the tree has something of another kind.
    /// - Returns: how many files and links were removed.
    func prune(_ tree: Tree, onlyObstacles: Bool) throws -> Int {
        let descriptor = openat(root.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fileError("read", shown, errno) }
        last.withLock { $0 = nil }
        var pruning = FolderPruning(tree, onlyObstacles: onlyObstacles, shown: shown)
        try pruning.run(descriptor)
        return pruning.removed
    }

    // MARK: Folders

    /// Opens the folder that holds `path`, creating what is missing.
    private func parent(of path: TreePath) throws -> (FolderDescriptor, name: String) {
        guard let found = try split(path, creating: true) else {
            preconditionFailure("a folder that is missing is created")
        }
        return found
    }

    private func existingParent(of path: TreePath) throws -> (FolderDescriptor, name: String)? {
        try split(path, creating: false)
    }

    private func split(
        _ path: TreePath, creating: Bool
    ) throws -> (FolderDescriptor, name: String)? {
        let text = path.text
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (root, text) }
        let (folder, name) = (String(text[..<slash]), String(text[text.index(after: slash)...]))
        if let known = last.withLock({ $0?.path == folder ? $0?.folder : nil }) {
            return (known, name)
        }
        guard let opened = try open(folder, of: path, creating: creating) else { return nil }
        last.withLock { $0 = (folder, opened) }
        return (opened, name)
    }

    private func open(
        _ folder: String, of path: TreePath, creating: Bool
    ) throws -> FolderDescriptor? {
        if usesOpenat2 {
            let found = clinux_open_beneath(root.descriptor, folder)
            if found >= 0 { return FolderDescriptor(found) }
            let number = errno
            switch number {
            case ENOENT where !creating: return nil
            // Something to create, a kernel or a sandbox without the call, a folder that is moved.
            case ENOENT, ENOSYS, EPERM, EAGAIN, EINVAL: break
            case ENOTDIR, ELOOP, EXDEV:
                guard creating else { return nil }
            default: throw fileError("opened", shown + folder, number)
            }
        }
        return try walk(to: folder, of: path, creating: creating)
    }

    private func walk(
        to folder: String, of path: TreePath, creating: Bool
    ) throws -> FolderDescriptor? {
        var current = root
        for part in folder.split(separator: "/").map(String.init) {
            var next = clinux_open_step(current.descriptor, part)
            if next < 0, errno == ENOENT, creating {
                // Somebody else may create it at the same time: opening decides.
                mkdirat(current.descriptor, part, 0o777)
                next = clinux_open_step(current.descriptor, part)
            }
            guard next >= 0 else {
                let number = errno
                if number == ENOTDIR || number == ELOOP || number == ENOENT {
                    guard creating else { return nil }
                }
                if number == ENOTDIR || number == ELOOP {
                    throw LinajeError(
                        .failedPrecondition,
                        "\(shown)\(path) cannot be written: \"\(part)\" on the way is no folder; "
                            + "move it away or choose another destination")
                }
                throw fileError("written", shown + path.text, number)
            }
            current = FolderDescriptor(next)
        }
        return current
    }

    static func renameError(_ path: String, _ number: Int32) -> LinajeError {
        guard number == EISDIR || number == EEXIST || number == ENOTEMPTY else {
            return fileError("written", path, number)
        }
        return LinajeError(
            .failedPrecondition,
            "\(path) cannot be written: a folder has its name; move it away or choose another "
                + "destination")
    }

    private static func temporaryName() -> String {
        ".linaje-\(Hex.encode(IngestID.random().array)).part"
    }

    private static func create(_ path: String) throws {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part
            guard mkdir(made, 0o777) == 0 || errno == EEXIST else {
                throw fileError("created", made, errno)
            }
            made += "/"
        }
    }
}

/// An open folder, closed when nobody needs it any more.
final class FolderDescriptor: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
