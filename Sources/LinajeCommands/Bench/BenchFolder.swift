import FoundationEssentials
import Glibc
import LinajeDomain

/// A folder with files to store, removed at the end.
struct BenchFolder: Sendable {
    let path: String

    /// - Throws: `failedPrecondition` naming the folder that cannot be made.
    init(in directory: String) throws {
        path = DiskBaseline.temporary(directory)
        guard mkdir(path, 0o700) == 0 else { throw DiskBaseline.failure("created", path) }
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Writes the files of a kind; their paths, in order.
    func fill(
        _ content: BenchContent, files: Int, size: Int, seed: UInt64
    ) throws -> [String] {
        let folder = "\(path)/\(content.rawValue)-\(seed)"
        guard mkdir(folder, 0o700) == 0 else { throw DiskBaseline.failure("created", folder) }
        return try (0..<content.fileCount(files)).map { index in
            let name = "\(folder)/\(index)"
            let file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw DiskBaseline.failure("created", name) }
            defer { close(file) }
            try content.generate(index, seed: seed, size: size) { bytes in
                guard write(file, bytes.baseAddress, bytes.count) == bytes.count else {
                    throw DiskBaseline.failure("written", name)
                }
            }
            return name
        }
    }
}
