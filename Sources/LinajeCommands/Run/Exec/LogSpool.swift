import Crypto
import Glibc
import LinajeDomain

/// The file in which `linaje run` keeps what a command wrote and no daemon has taken.
///
/// ```
/// file  = "LNJLOG1" LF | 16 writer id | frame …
/// frame = u32 length | u64 offset | record … | 8 check      length: of offset and records
/// record = i64 time | u8 stream (0: missing) | u64 count | count bytes, none for missing ones
/// ```
/// Numbers are little-endian; `check` is the first 8 bytes of the SHA-256 of offset and records. A
/// frame that was being written when the machine stopped is the last, and is not believed. A frame
/// that is damaged is passed over: those behind it are found by their checks. Offsets
/// count the writer's bytes, and the daemon takes each once: a file may be sent again from its
/// beginning.
final class LogSpool {
    /// Most bytes of a file; what comes after is counted and dropped.
    static let fileBytes = 64 << 20
    /// Most bytes of records in a frame.
    static let frameBytes = 256 << 10
    private static let magic = Array("LNJLOG1\n".utf8)
    private static let headerBytes = 24
    private static let checkBytes = 8

    /// Who counts.
    let writer: WriterID
    private let file: Int32
    /// Where the next frame is written, and read.
    private(set) var size: Int
    private var place = LogSpool.headerBytes
    /// Where the writer's count was after the frame that was read last.
    private var lastEnd: UInt64 = 0
    /// Whether all that was written survives a machine that stops.
    private(set) var isSafe = true
    /// Bytes of the file that were passed over, because they are no whole frames.
    private(set) var damagedBytes = 0

    /// Makes the file; one that is there is replaced. `nil` when it cannot be. The folder is synced, so
    /// that the file is there after a machine has stopped.
    init?(creating path: String, writer: WriterID) {
        file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return nil }
        self.writer = writer
        size = 0
        guard write(Self.magic + writer.array) else {
            close(file)
            return nil
        }
        isSafe = KeptRuns.sync(folderOf: path)
    }

    /// Opens a file that was left; `nil` where none is.
    ///
    /// - Throws: `corrupt` for one that is not such a file, `unavailable` for one that cannot be read.
    init?(opening path: String) throws {
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            guard errno != ENOENT else { return nil }
            throw LinajeError(
                .unavailable, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        var header = [UInt8](repeating: 0, count: Self.headerBytes)
        let count = fstat(file, &status) == 0 ? pread(file, &header, header.count, 0) : -1
        guard count == header.count, header.starts(with: Self.magic),
            let writer = try? WriterID(header[Self.magic.count...])
        else {
            let reason = count < 0 ? String(cString: strerror(errno)) : "no kept log begins so"
            close(file)
            throw LinajeError(
                count < 0 ? .unavailable : .corrupt,
                "\(path) cannot be read: \(reason); remove it if its output is not needed")
        }
        self.writer = writer
        size = Int(status.st_size)
    }

    deinit { close(file) }

    /// Whether every frame was read.
    var isRead: Bool { place >= size }

    /// Writes a frame; false when the file is full or cannot be written: it is as it was then.
    func append(offset: UInt64, _ records: [LogRecord]) -> Bool {
        var body = Self.bytes(offset)
        for record in records {
            body += Self.bytes(UInt64(bitPattern: record.time.microseconds))
            switch record.content {
            case .missing(let count): body += [0] + Self.bytes(count)
            case .bytes(let stream, let bytes):
                body += [stream.rawValue] + Self.bytes(UInt64(bytes.count)) + bytes
            }
        }
        guard size + body.count + 12 <= Self.fileBytes else { return false }
        let check = SHA256.hash(data: body).prefix(Self.checkBytes)
        return write(Self.bytes(UInt32(body.count)) + body + check)
    }

    /// The next frame that is whole; `nil` after the last.
    ///
    /// - Throws: `unavailable` when the disk does not give the bytes.
    func next() throws -> (offset: UInt64, records: [LogRecord])? {
        let begin = place
        while place < size {
            if let (frame, length) = try frame(at: place) {
                damagedBytes += place - begin
                place += length
                lastEnd = frame.offset + frame.records.reduce(0) { $0 + $1.size }
                return frame
            }
            place += 1
        }
        damagedBytes += size - begin
        return nil
    }

    /// Makes what was written survive a machine that stops. Where it does not, it never will: what the
    /// disk has is not known any more.
    ///
    /// - Returns: whether all that was ever written does.
    func sync() -> Bool {
        if fdatasync(file) != 0 { isSafe = false }
        return isSafe
    }

    /// The frame that begins at a place, and its bytes in the file.
    private func frame(
        at place: Int
    ) throws -> (frame: (offset: UInt64, records: [LogRecord]), length: Int)? {
        guard let head = try read(12, at: place) else { return nil }
        let length = Int(UInt32(truncatingIfNeeded: Self.number(head[..<4])))
        let offset = Self.number(head[4...])
        // A record of the largest size stands alone in its frame. The offset keeps a search behind
        // damage from taking the check of everything that may be a length.
        guard length >= 8, length <= 4 * Self.frameBytes, offset >= lastEnd,
            offset <= UInt64(Int64.max) / 2,
            let body = try read(length, at: place + 4),
            let check = try read(Self.checkBytes, at: place + 4 + length),
            SHA256.hash(data: body).prefix(Self.checkBytes).elementsEqual(check),
            let records = Self.records(body[8...])
        else { return nil }
        return ((offset, records), 4 + length + Self.checkBytes)
    }

    private static func records(_ bytes: ArraySlice<UInt8>) -> [LogRecord]? {
        var rest = bytes
        var out: [LogRecord] = []
        var total: UInt64 = 0
        while !rest.isEmpty {
            guard rest.count >= 17 else { return nil }
            let time = Timestamp(microseconds: Int64(bitPattern: number(rest.prefix(8))))
            let kind = rest.dropFirst(8).first ?? 0
            let count = number(rest.dropFirst(9).prefix(8))
            rest = rest.dropFirst(17)
            guard count > 0, count <= UInt64(Int64.max) / 2 - total else { return nil }
            total += count
            guard kind != 0 else {
                out.append(LogRecord(time: time, .missing(count)))
                continue
            }
            guard let stream = LogStream(rawValue: kind), count <= UInt64(rest.count) else {
                return nil
            }
            out.append(LogRecord(time: time, .bytes(stream, Array(rest.prefix(Int(count))))))
            rest = rest.dropFirst(Int(count))
        }
        return out
    }

    // MARK: Bytes

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// `nil` past the end of the file.
    private func read(_ count: Int, at place: Int) throws -> [UInt8]? {
        guard place + count <= size else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        let found = pread(file, &bytes, count, off_t(place))
        guard found >= 0 else {
            throw LinajeError(
                .unavailable, "kept log cannot be read: \(String(cString: strerror(errno)))")
        }
        return found == count ? bytes : nil
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(
                    file, $0.baseAddress.map { $0 + written }, bytes.count - written,
                    off_t(size + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                ftruncate(file, off_t(size))
                return false
            }
            written += count
        }
        size += bytes.count
        return true
    }
}
