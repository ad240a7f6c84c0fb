/// The kind and permission of an entry of a tree.
public enum FileMode: UInt32, Sendable, Hashable {
    /// A file.
    case file = 0o100644
    /// A file that may be executed.
    case executable = 0o100755
    /// A symbolic link; its content is its target.
    case link = 0o120000

    /// The mode as trees write it: six octal digits.
    public var octal: String { String(rawValue, radix: 8) }

    /// - Throws: `invalidArgument` for any other number: a FIFO or a device has no place in a tree.
    public init(wire value: UInt32) throws {
        guard let mode = FileMode(rawValue: value) else {
            throw LinajeError(
                .invalidArgument,
                "file mode \(String(value, radix: 8)) is not allowed; only regular files "
                    + "(100644, 100755) and symbolic links (120000) can be stored")
        }
        self = mode
    }
}

/// One file or link of a tree.
public struct TreeEntry: Sendable, Hashable {
    /// Where it stands.
    public var path: TreePath
    /// What it is.
    public var mode: FileMode
    /// Its size in bytes; of a link, of its target.
    public var size: UInt64
    /// The SHA-256 of its content; of a link, of its target.
    public var sha256: SHA256Digest

    public init(path: TreePath, mode: FileMode, size: UInt64, sha256: SHA256Digest) {
        self.path = path
        self.mode = mode
        self.size = size
        self.sha256 = sha256
    }
}

/// A set of files by path; its digest names the artifact, the model version, the data set version.
///
/// The canonical text (normative: `proto-spec/STORAGE.md`, "Trees") is
/// ```
/// linaje tree 1\n
/// MODE SP SHA256 SP SIZE SP PATH NUL      one per entry, by the bytes of the path
/// ```
/// and the digest is the SHA-256 of that text. It knows no chunks and no compression, so that the
/// identity of a model outlives the way it is stored.
public struct Tree: Sendable, Hashable {
    /// The entries, in the order of their paths' bytes.
    public let entries: [TreeEntry]

    /// - Throws: `invalidArgument` when two entries have the same path or one stands below a file;
    ///   `limitExceeded` for too many.
    public init(_ entries: [TreeEntry]) throws {
        guard entries.count <= Limits.treeEntries else {
            throw LinajeError(
                .limitExceeded,
                "tree has \(entries.count) entries; at most \(Limits.treeEntries) are allowed")
        }
        let sorted = entries.sorted { $0.path < $1.path }
        try Tree.checkNesting(sorted)
        self.entries = sorted
    }

    /// Sum of the entries' sizes in bytes.
    public var size: UInt64 { entries.reduce(0) { $0 &+ $1.size } }

    /// The canonical text, the bytes that the digest is taken of.
    public var canonical: [UInt8] {
        var out = Array(Tree.header.utf8)
        for entry in entries {
            out.append(contentsOf: entry.mode.octal.utf8)
            out.append(UInt8(ascii: " "))
            out.append(contentsOf: entry.sha256.description.utf8)
            out.append(UInt8(ascii: " "))
            out.append(contentsOf: String(entry.size).utf8)
            out.append(UInt8(ascii: " "))
            out.append(contentsOf: entry.path.text.utf8)
            out.append(0)
        }
        return out
    }

    /// Reads a canonical text; the only text it accepts is the one that `canonical` would write.
    ///
    /// - Throws: `corrupt` for anything else.
    public init(canonical bytes: [UInt8]) throws {
        let header = Array(Tree.header.utf8)
        guard bytes.starts(with: header) else {
            throw LinajeError(.corrupt, "tree does not begin with \"linaje tree 1\"")
        }
        var entries: [TreeEntry] = []
        var position = header.count
        while position < bytes.count {
            guard let end = bytes[position...].firstIndex(of: 0) else {
                throw LinajeError(.corrupt, "tree entry \(entries.count) has no end")
            }
            entries.append(try Tree.entry(bytes[position..<end], number: entries.count))
            position = end + 1
        }
        for (left, right) in zip(entries, entries.dropFirst()) where !(left.path < right.path) {
            throw LinajeError(.corrupt, "tree entries are out of order at \"\(right.path)\"")
        }
        try Tree.checkNesting(entries)
        self.entries = entries
        guard canonical == bytes else {
            throw LinajeError(.corrupt, "tree is not in canonical form")
        }
    }

    /// The entry at `path`, found by bisection.
    public func entry(at path: TreePath) -> TreeEntry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].path < path { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].path == path else { return nil }
        return entries[low]
    }

    /// The entries below `folder`, with paths relative to it; all of them for `nil`.
    public func subtree(at folder: TreePath?) throws -> Tree {
        guard let folder else { return self }
        return try Tree(
            entries.compactMap { entry in
                guard let rest = entry.path.relative(to: folder) else { return nil }
                var moved = entry
                moved.path = try TreePath(rest)
                return moved
            })
    }

    private static let header = "linaje tree 1\n"

    private static func entry(_ line: ArraySlice<UInt8>, number: Int) throws -> TreeEntry {
        let parts = line.split(
            separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, parts.allSatisfy({ String(validating: $0, as: UTF8.self) != nil }),
            let mode = UInt32(String(decoding: parts[0], as: UTF8.self), radix: 8)
                .flatMap(FileMode.init(rawValue:)),
            let digest = SHA256Digest(hex: String(decoding: parts[1], as: UTF8.self)),
            let size = UInt64(String(decoding: parts[2], as: UTF8.self)),
            let path = try? TreePath(String(decoding: parts[3], as: UTF8.self))
        else {
            throw LinajeError(.corrupt, "tree entry \(number) cannot be read")
        }
        return TreeEntry(path: path, mode: mode, size: size, sha256: digest)
    }

    /// A path may stand once only, and not below a path that is a file.
    private static func checkNesting(_ sorted: [TreeEntry]) throws {
        var files = Set<TreePath>(minimumCapacity: sorted.count)
        for entry in sorted {
            guard files.insert(entry.path).inserted else {
                throw LinajeError(
                    .invalidArgument, "path \"\(entry.path)\" stands twice in the tree")
            }
        }
        var checked = Set<String>()
        for entry in sorted {
            var parent = entry.path.text[...]
            while let slash = parent.lastIndex(of: "/") {
                parent = parent[..<slash]
                guard checked.insert(String(parent)).inserted else { break }
                if let path = try? TreePath(String(parent)), files.contains(path) {
                    throw LinajeError(
                        .invalidArgument,
                        "path \"\(entry.path)\" stands below \"\(path)\", which is a file")
                }
            }
        }
    }
}
