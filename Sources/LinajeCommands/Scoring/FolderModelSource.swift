import FoundationEssentials
import Glibc
import LinajeDomain
import LinajePluginKit

/// The files of a model on this machine. What is no ordinary file is not seen; links to files only where
/// they are followed.
struct FolderModelSource: ModelSource {
    /// Most files and folders below it.
    static let mostEntries = 100_000

    let folder: String
    private let followsLinks: Bool
    /// What is there and not seen: links, sockets.
    private(set) var unseen: [String] = []
    private var known: [ModelSourceFile]
    private(set) var paths: Set<String>

    /// Bytes of all files.
    var size: UInt64 { known.reduce(0) { $0 &+ $1.size } }

    /// Looks at a folder, or at one file as if it were alone in its folder. Blocks.
    ///
    /// - Parameter followsLinks: whether links to files are seen as those; links to folders never are.
    static func look(at path: String, followsLinks: Bool) throws -> FolderModelSource {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw LinajeError(.notFound, "\(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            // A link to a folder would be listed as one without files.
            return try FolderModelSource(
                PluginPackage.absolute(path), followsLinks: followsLinks)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw LinajeError(.invalidArgument, "\(path) is neither a file nor a folder")
        }
        let slash = path.lastIndex(of: "/")
        return FolderModelSource(
            file: slash.map { String(path[path.index(after: $0)...]) } ?? path,
            in: slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".",
            size: UInt64(clamping: status.st_size), followsLinks: followsLinks)
    }

    private init(file name: String, in folder: String, size: UInt64, followsLinks: Bool) {
        self.folder = folder
        self.followsLinks = followsLinks
        known = [ModelSourceFile(path: name, size: size)]
        paths = [name]
    }

    /// Looks at a folder. Blocks.
    init(_ folder: String, followsLinks: Bool = false) throws {
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw LinajeError(
                .notFound,
                "\(folder) is no folder; give the folder of a model, or a models:/ URI")
        }
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: folder) else {
            throw LinajeError(.readOnly, "folder \(folder) cannot be read")
        }
        guard names.count <= Self.mostEntries else {
            throw LinajeError(
                .limitExceeded,
                "folder \(folder) has more than \(Self.mostEntries) entries; give that of one model"
            )
        }
        self.folder = folder
        self.followsLinks = followsLinks
        known = []
        for name in names.sorted() {
            var status = stat()
            let path = "\(folder)/\(name)"
            guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0,
                status.st_mode & S_IFMT == S_IFREG
            else {
                // A folder is listed with what is in it; a link to one is not.
                if lstat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR {
                    unseen.append(name)
                }
                continue
            }
            known.append(ModelSourceFile(path: name, size: UInt64(clamping: status.st_size)))
        }
        paths = Set(known.map(\.path))
    }

    /// The same folder, as if it had no other files than these.
    func only(_ wanted: Set<String>) -> FolderModelSource {
        var part = self
        part.known = known.filter { wanted.contains($0.path) }
        part.paths = paths.intersection(wanted)
        return part
    }

    func files() async throws -> [ModelSourceFile] { known }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard paths.contains(path) else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        let whole = "\(folder)/\(path)"
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)
        return try await BlockingThread.run {
            let descriptor = open(whole, flags)
            guard descriptor >= 0 else { throw Self.unreadable(whole) }
            defer { close(descriptor) }
            guard let start = off_t(exactly: offset) else { return [] }
            var bytes = [UInt8](repeating: 0, count: max(0, length))
            var filled = 0
            while filled < bytes.count {
                let got = bytes.withUnsafeMutableBytes { buffer in
                    pread(
                        descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled,
                        start &+ off_t(filled))
                }
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else { throw Self.unreadable(whole) }
                if got == 0 { break }
                filled += got
            }
            return filled == bytes.count ? bytes : Array(bytes[..<filled])
        }
    }

    private static func unreadable(_ path: String) -> LinajeError {
        LinajeError(.readOnly, "\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
}
