import Glibc
import LinajeDomain

/// Removes from a folder what a tree does not have. It goes by open descriptors and follows no link.
struct FolderPruning {
    /// Deep enough for any real tree; a bound because each level holds a folder open.
    private static let depthLimit = 200

    private(set) var removed = 0
    private let onlyObstacles: Bool
    private let shown: String
    private var files: Set<String>
    private var folders: Set<String> = []

    init(_ tree: Tree, onlyObstacles: Bool, shown: String) {
        self.onlyObstacles = onlyObstacles
        self.shown = shown
        files = Set(tree.entries.map(\.path.text))
        for entry in tree.entries {
            var parent = entry.path.text[...]
            while let slash = parent.lastIndex(of: "/") {
                parent = parent[..<slash]
                guard folders.insert(String(parent)).inserted else { break }
            }
        }
    }

    /// - Parameter descriptor: of the folder; it is closed.
    mutating func run(_ descriptor: Int32) throws { try prune(descriptor, "", depth: 0) }

    private mutating func prune(_ descriptor: Int32, _ prefix: String, depth: Int) throws {
        guard let directory = fdopendir(descriptor) else {
            let number = errno
            close(descriptor)
            throw fileError("read", shown + prefix, number)
        }
        defer { closedir(directory) }
        guard depth < Self.depthLimit else {
            throw LinajeError(
                .limitExceeded,
                "folder \(shown)\(prefix) is more than \(Self.depthLimit) levels deep")
        }
        let folder = dirfd(directory)
        for name in try Self.names(directory, shown + prefix) {
            let path = prefix + name.text
            var status = stat()
            guard fstatat(folder, name.raw, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                if errno == ENOENT { continue }
                throw fileError("read", shown + path, errno)
            }
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            if isFolder, folders.contains(path) {
                try descend(folder, name, path, depth)
            } else if isFolder ? files.contains(path) : folders.contains(path) {
                try remove(folder, name, path, isFolder: isFolder, depth)
            } else if !onlyObstacles, isFolder || !files.contains(path) {
                try remove(folder, name, path, isFolder: isFolder, depth)
            }
        }
    }

    private mutating func descend(
        _ folder: Int32, _ name: Name, _ path: String, _ depth: Int
    ) throws {
        let next = openat(folder, name.raw, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard next >= 0 else { throw fileError("read", shown + path, errno) }
        try prune(next, path + "/", depth: depth + 1)
    }

    private mutating func remove(
        _ folder: Int32, _ name: Name, _ path: String, isFolder: Bool, _ depth: Int
    ) throws {
        if isFolder {
            var all = self
            all.clear()
            try all.descend(folder, name, path, depth)
            removed = all.removed
        } else {
            removed += 1
        }
        guard unlinkat(folder, name.raw, isFolder ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT
        else { throw fileError("removed", shown + path, errno) }
    }

    /// Below here the tree has nothing.
    private mutating func clear() {
        self = FolderPruning(shown: shown, removed: removed)
    }

    private init(shown: String, removed: Int) {
        self.shown = shown
        self.removed = removed
        onlyObstacles = false
        files = []
    }

    /// A name as the file system has it, which may be no UTF-8, and as text.
    private struct Name {
        var raw: [CChar]
        var text: String
    }

    private static func names(_ directory: OpaquePointer, _ shown: String) throws -> [Name] {
        var found: [Name] = []
        errno = 0
        while let entry = readdir(directory) {
            let raw = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                raw.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            // What is no UTF-8 is read as something that no tree has.
            let text = String(decoding: raw.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text != ".", text != ".." { found.append(Name(raw: raw, text: text)) }
            errno = 0
        }
        guard errno == 0 else { throw fileError("read", shown, errno) }
        return found
    }
}
