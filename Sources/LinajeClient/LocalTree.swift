import Glibc
import LinajeDomain

/// A file or link on this machine that is to be stored.
struct LocalFile: Sendable {
    /// Where it stands in the tree.
    var path: TreePath
    /// Where it is here.
    var source: String
    var mode: FileMode
    /// As it was when the folder was walked.
    var stamp: FileStamp
    var size: UInt64 { stamp.size }
    /// Whether the path itself is what a person named: it may be a link then, and is followed.
    var isNamed = false
}

/// The files below a folder of this machine, found without following symbolic links.
enum LocalTree {
    /// The files of `path` by the bytes of their paths, as trees are sorted: of a folder all below it, of a file that one under its own name. The
    /// path itself is resolved when it is a link, since its user named what it points at; links
    /// below it are kept as links. Empty folders have no place in a tree and are left out.
    ///
    /// - Throws: `notFound`; `invalidArgument` naming a FIFO, socket or device; `invalidPath` for a
    ///   name that is not UTF-8 or too long; `limitExceeded` for too many files.
    static func files(at path: String) throws -> [LocalFile] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw fileError("read", path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            var files: [LocalFile] = []
            try walk(path, below: nil, depth: 0, into: &files)
            return files.sorted { $0.path < $1.path }
        case S_IFREG:
            return [
                LocalFile(
                    path: try TreePath(baseName(path)), source: path, mode: mode(status),
                    stamp: FileStamp(status), isNamed: true)
            ]
        default: throw unsupported(path, status)
        }
    }

    /// The last part of a path; "file" for one that has none.
    static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? "file"
    }

    /// The target of a symbolic link.
    static func target(of link: String) throws -> [UInt8] {
        var characters = [CChar](repeating: 0, count: Limits.linkTargetBytes + 1)
        let count = readlink(link, &characters, characters.count)
        guard count >= 0 else { throw fileError("read", link, errno) }
        guard count <= Limits.linkTargetBytes else {
            throw LinajeError(
                .limitExceeded,
                "target of link \(link) is longer than \(Limits.linkTargetBytes) bytes")
        }
        return characters[..<count].map { UInt8(bitPattern: $0) }
    }

    /// What a file that is neither file, folder nor link is called.
    static func unsupported(_ path: String, _ status: stat) -> LinajeError {
        let kind =
            switch status.st_mode & S_IFMT {
            case S_IFIFO: "a FIFO"
            case S_IFSOCK: "a socket"
            case S_IFCHR, S_IFBLK: "a device"
            default: "no regular file"
            }
        return LinajeError(
            .invalidArgument,
            "\(path) is \(kind); only regular files and symbolic links can be stored: remove it "
                + "or leave it out")
    }

    static func mode(_ status: stat) -> FileMode {
        status.st_mode & S_IXUSR != 0 ? .executable : .file
    }

    /// Deep enough for any real tree; a bound because each level holds a folder open.
    private static let depthLimit = 200

    private static func walk(
        _ folder: String, below parent: TreePath?, depth: Int, into files: inout [LocalFile]
    ) throws {
        guard depth < depthLimit else {
            throw LinajeError(
                .limitExceeded, "folder \(folder) is more than \(depthLimit) levels deep")
        }
        for name in try names(in: folder).sorted() {
            let source = folder.hasSuffix("/") ? folder + name : folder + "/" + name
            let path = try parent?.appending(TreePath(name)) ?? TreePath(name)
            var status = stat()
            guard lstat(source, &status) == 0 else { throw fileError("read", source, errno) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: try walk(source, below: path, depth: depth + 1, into: &files)
            case S_IFREG:
                files.append(
                    LocalFile(
                        path: path, source: source, mode: mode(status),
                        stamp: FileStamp(status)))
            case S_IFLNK:
                files.append(
                    LocalFile(
                        path: path, source: source, mode: .link, stamp: FileStamp(status)))
            default: throw unsupported(source, status)
            }
            guard files.count <= Limits.treeEntries else {
                throw LinajeError(
                    .limitExceeded,
                    "\(folder) holds more than \(Limits.treeEntries) files: store less at once")
            }
        }
    }

    private static func names(in folder: String) throws -> [String] {
        guard let directory = opendir(folder) else { throw fileError("read", folder, errno) }
        defer { closedir(directory) }
        var found: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                Array(raw.prefix { $0 != 0 })
            }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw LinajeError(
                    .invalidPath,
                    "folder \(folder) holds a name that is no UTF-8 (bytes "
                        + "\(Hex.encode(bytes))): rename it")
            }
            if name != ".", name != ".." { found.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw fileError("read", folder, errno) }
        return found
    }
}
