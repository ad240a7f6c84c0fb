import Crypto
import Glibc
import LinajeClient
import LinajeDomain

/// The file of an import, read twice: first to check it as a whole, then to send it. Standard input is
/// copied into a file without a name first. Calls block.
final class ImportSource: Sendable {
    /// Bytes that are read at once.
    static let readBytes = 256 << 10

    let name: String
    private let file: Int32

    /// - Parameter path: "-" for standard input.
    /// - Throws: why it cannot be read.
    init(_ path: String) throws {
        guard path == "-" else {
            name = path
            file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw fileError("read", path, errno) }
            guard lseek(file, 0, SEEK_SET) >= 0 else {
                close(file)
                throw LinajeError(
                    .invalidArgument,
                    "\(path) cannot be read twice; write \"-\" and give it as standard input")
            }
            return
        }
        name = "standard input"
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(folder)/linaje-import-XXXXXX".utf8CString)
        file = mkstemp(&template)
        guard file >= 0 else { throw fileError("written", folder, errno) }
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        unlink(template)
        do {
            try copyStandardInput()
        } catch {
            close(file)
            throw error
        }
    }

    deinit { close(file) }

    /// The bytes at a place; empty at the end.
    func bytes(at place: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.readBytes)
        var count = pread(file, &bytes, bytes.count, off_t(place))
        while count < 0, errno == EINTR { count = pread(file, &bytes, bytes.count, off_t(place)) }
        guard count >= 0 else { throw fileError("read", name, errno) }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private func copyStandardInput() throws {
        var buffer = [UInt8](repeating: 0, count: Self.readBytes)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fileError("read", name, errno) }
            guard count > 0 else { return }
            var written = 0
            while written < count {
                let part = buffer[written..<count].withUnsafeBytes {
                    write(file, $0.baseAddress, $0.count)
                }
                if part < 0, errno == EINTR { continue }
                guard part > 0 else { throw fileError("written", "the copy of \(name)", errno) }
                written += part
            }
        }
    }
}

/// What the first reading of a file found.
struct ImportPlan: Sendable {
    /// The points of one run of the file.
    struct Part: Sendable {
        var points: UInt64 = 0
        var firstTime = Int64.max
        var lastTime = Int64.min
    }

    /// Most runs of one file.
    static let maximumRuns = 10_000

    let format: PointFormat
    /// The SHA-256 of the whole file: who it is.
    let fingerprint: String
    var bytes = 0
    /// By the id that the file names.
    var parts: [RunID?: Part] = [:]

    var points: UInt64 { parts.values.reduce(0) { $0 + $1.points } }

    /// Reads the file as a whole. Blocks.
    ///
    /// - Throws: what is wrong in which line and column.
    init(_ source: ImportSource, format wanted: PointFormat?) throws {
        var block = try source.bytes(at: 0)
        format =
            wanted ?? PointFormat(fileName: source.name) ?? PointFormat(beginning: block)
        var reader = PointReader(format)
        var hasher = SHA256()
        var parts: [RunID?: Part] = [:]
        func count(_ row: PointRow) throws {
            guard parts[row.run] != nil || parts.count < Self.maximumRuns else {
                throw LinajeError(
                    .limitExceeded,
                    "\(source.name) has points of more than \(Self.maximumRuns) runs; divide it")
            }
            parts[row.run, default: Part()].add(row.point)
        }
        while !block.isEmpty {
            hasher.update(data: block)
            bytes += block.count
            try reader.take(block, count)
            block = try source.bytes(at: bytes)
        }
        try reader.finish(count)
        fingerprint = Hex.encode(hasher.finalize())
        self.parts = parts
    }
}

extension ImportPlan.Part {
    fileprivate mutating func add(_ point: MetricPoint) {
        points += 1
        firstTime = min(firstTime, point.time)
        lastTime = max(lastTime, point.time)
    }
}
