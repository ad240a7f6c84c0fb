import Glibc
import LinajeDomain

/// The event files below a directory. Its calls may block.
struct DirectoryScan: Sendable {
    /// One event file.
    struct File: Sendable, Hashable {
        var name: String
        var size: UInt64
    }

    /// Event files by directory, relative to the root ("" is the root itself), by name: a name begins
    /// with the time at which the file was made, so that is their order.
    private(set) var directories: [String: [File]] = [:]
    /// Why a part could not be looked at.
    private(set) var failures: [(path: String, error: LinajeError)] = []
    private var files = 0
    private var seen = 0

    /// What TensorBoard looks for in a name.
    private static let mark = "tfevents"

    /// - Throws: `notFound` and the like when the root itself cannot be read. Symbolic links to
    ///   directories are not followed: what they lead to would be two runs.
    init(_ root: String) throws {
        try look(root, "", depth: 0)
    }

    private mutating func look(_ path: String, _ relative: String, depth: Int) throws {
        guard let folder = opendir(path) else {
            throw LinajeError(
                errno == ENOENT ? .notFound : .failedPrecondition,
                "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(folder) }
        seen += 1
        var here: [File] = []
        var below: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            var status = stat()
            guard fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            var kind = status.st_mode & S_IFMT
            if kind == S_IFLNK, name.contains(Self.mark) {
                guard fstatat(dirfd(folder), name, &status, 0) == 0 else { continue }
                kind = status.st_mode & S_IFMT
            }
            if kind == S_IFDIR {
                below.append(name)
            } else if kind == S_IFREG, name.contains(Self.mark), files < AgentLimits.files {
                files += 1
                here.append(File(name: name, size: UInt64(clamping: status.st_size)))
            }
        }
        if !here.isEmpty { directories[relative] = here.sorted { $0.name < $1.name } }
        for name in below where seen < AgentLimits.directories {
            guard depth < AgentLimits.directoryDepth else { break }
            let inner = relative.isEmpty ? name : relative + "/" + name
            do {
                try look(path + "/" + name, inner, depth: depth + 1)
            } catch let error as LinajeError {
                failures.append((path + "/" + name, error))
            }
        }
    }

    /// Whether there was more than is looked at.
    var isCut: Bool { files >= AgentLimits.files || seen >= AgentLimits.directories }
}
