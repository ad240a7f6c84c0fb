import FoundationEssentials
import Glibc
import LinajeDomain
import LinajePluginKit

/// The files of a model in a folder of this machine. What is no ordinary file, links too, is not seen.
struct FolderModelSource: ModelSource {
    /// Most files and folders below it.
    static let mostEntries = 100_000

    let folder: String
    private var known: [ModelSourceFile]
    private(set) var paths: Set<String>

    /// Bytes of all files.
    var size: UInt64 { known.reduce(0) { $0 &+ $1.size } }

    /// Looks at a folder. Blocks.
    init(_ folder: String) throws {
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
        known = names.sorted().compactMap { name in
            var status = stat()
            guard lstat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { return nil }
            return ModelSourceFile(path: name, size: UInt64(clamping: status.st_size))
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
        return try await BlockingThread.run {
            let descriptor = open(whole, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
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
