import Glibc
import LinajeClient
import LinajeDomain

/// Where an export goes: standard output, or a file that has its name only once it is whole.
final class ExportFile {
    private let path: String?
    private let file: Int32
    /// What it is called until it is whole; `nil`: it is written in its place.
    private let part: String?

    /// - Parameter path: `nil` or "-" for standard output.
    /// - Throws: why the file cannot be made.
    init(_ path: String?) throws {
        guard let path, path != "-" else {
            self.path = nil
            file = STDOUT_FILENO
            part = nil
            return
        }
        self.path = path
        var status = stat()
        // A pipe or device stays what it is.
        let isSpecial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        part = isSpecial ? nil : "\(path).\(Hex.encode(IngestID.random().array)).part"
        let flags = O_WRONLY | O_CLOEXEC | (isSpecial ? 0 : O_CREAT | O_EXCL | O_NOFOLLOW)
        file = open(part ?? path, flags, 0o666)
        guard file >= 0 else { throw fileError("written", path, errno) }
    }

    deinit { if path != nil { close(file) } }

    /// May block.
    func write(_ bytes: [UInt8]) throws {
        guard path != nil else { return Output.collect(bytes) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(file, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fileError("written", path ?? "", errno) }
            written += count
        }
    }

    /// Everything was written: the file gets its name.
    func finish() throws {
        guard let path else { return Output.flush() }
        guard let part else { return }
        guard fsync(file) == 0, rename(part, path) == 0 else {
            throw fileError("written", path, errno)
        }
    }

    /// Nothing is left of a file that is not whole.
    func abandon() { if let part { unlink(part) } }
}
