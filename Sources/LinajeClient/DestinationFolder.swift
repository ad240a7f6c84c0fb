import Glibc
import LinajeDomain

/// A folder of this machine into which a tree is written, and nothing outside it.
///
/// Every step goes from an open folder to the next by name, never through a symbolic link, so
/// neither a path of the tree nor a link that stands there already leads outside. Files appear
/// whole, by rename. Its calls block.
final class DestinationFolder: Sendable {
    private let descriptor: Int32
    private let shown: String

    /// Opens a folder, which is created with its parents when it is not there. The folder itself
    /// may be reached by links: its user named it.
    init(_ path: String) throws {
        try Self.create(path)
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fileError("opened", path, errno) }
        self.descriptor = descriptor
        shown = path.hasSuffix("/") ? path : path + "/"
    }

    deinit { close(descriptor) }

    /// A file that is being written: it has a temporary name until `commit`.
    func begin(_ path: TreePath, executable: Bool) throws -> PartialFile {
        let (folder, name) = try parent(of: path)
        let temporary = ".linaje-\(Hex.encode(IngestID.random().array)).part"
        let file = openat(
            folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
            executable ? 0o777 : 0o666)
        guard file >= 0 else {
            let number = errno
            close(folder)
            throw fileError("written", shown + path.text, number)
        }
        return PartialFile(
            descriptor: file, folder: folder, temporary: temporary, name: name,
            shown: shown + path.text)
    }

    /// Makes a symbolic link, in place of what has its name.
    func link(_ path: TreePath, to target: [UInt8]) throws {
        guard !target.isEmpty, !target.contains(0),
            let text = String(validating: target, as: UTF8.self)
        else {
            throw LinajeError(.corrupt, "link \(path) has a target that no link can have")
        }
        let (folder, name) = try parent(of: path)
        defer { close(folder) }
        let temporary = ".linaje-\(Hex.encode(IngestID.random().array)).part"
        guard symlinkat(text, folder, temporary) == 0 else {
            throw fileError("written", shown + path.text, errno)
        }
        guard renameat(folder, temporary, folder, name) == 0 else {
            let number = errno
            unlinkat(folder, temporary, 0)
            throw fileError("written", shown + path.text, number)
        }
    }

    /// Opens the folder that holds `path`, creating what is missing.
    private func parent(of path: TreePath) throws -> (folder: Int32, name: String) {
        var parts = path.text.split(separator: "/").map(String.init)
        let name = parts.removeLast()
        var folder = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard folder >= 0 else { throw fileError("opened", shown, errno) }
        for part in parts {
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
            var next = openat(folder, part, flags)
            if next < 0, errno == ENOENT {
                // Somebody else may create it at the same time: opening decides.
                mkdirat(folder, part, 0o777)
                next = openat(folder, part, flags)
            }
            let number = errno
            close(folder)
            guard next >= 0 else {
                if number == ENOTDIR || number == ELOOP {
                    throw LinajeError(
                        .failedPrecondition,
                        "\(shown)\(path) cannot be written: \"\(part)\" on the way is no folder; "
                            + "move it away or choose another destination")
                }
                throw fileError("written", shown + path.text, number)
            }
            folder = next
        }
        return (folder, name)
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

/// A file on its way into a `DestinationFolder`; removed again unless it is committed. Its calls
/// block, and one task uses it at a time.
final class PartialFile: Sendable {
    private let descriptor: Int32
    private let folder: Int32
    private let temporary: String
    private let name: String
    private let shown: String

    init(descriptor: Int32, folder: Int32, temporary: String, name: String, shown: String) {
        self.descriptor = descriptor
        self.folder = folder
        self.temporary = temporary
        self.name = name
        self.shown = shown
    }

    deinit {
        close(descriptor)
        // After a commit there is nothing of that name.
        unlinkat(folder, temporary, 0)
        close(folder)
    }

    func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.write(
                    descriptor, raw.baseAddress.map { $0 + written }, raw.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fileError("written", shown, errno) }
            written += count
        }
    }

    /// Gives the file its name, in place of what has it.
    func commit() throws {
        guard renameat(folder, temporary, folder, name) == 0 else {
            throw fileError("written", shown, errno)
        }
    }
}
