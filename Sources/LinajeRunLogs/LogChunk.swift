import Crypto
import LinajeDomain

/// A stretch of a run's log: records of one or several writers, in the order they came.
///
/// The bytes of it are drawn in STORAGE.md, "Run logs".
struct LogChunk: Sendable, Hashable {
    /// Bytes that one writer wrote to one stream at one moment.
    struct Record: Sendable, Hashable {
        var time: Int64
        var stream: LogStream
        var writer: UInt32
        var bytes: [UInt8]
    }

    /// At least one; none without bytes.
    var records: [Record]

    var byteCount: Int { records.reduce(0) { $0 + $1.bytes.count } }

    var lineCount: Int {
        records.reduce(0) { $0 + $1.bytes.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) } }
    }

    var times: ClosedRange<Int64> {
        let first = records.first?.time ?? 0
        return records.reduce(first...first) {
            min($0.lowerBound, $1.time)...max($0.upperBound, $1.time)
        }
    }

    /// From how many bytes on a chunk is not merged with others.
    static let fullBytes = 64 << 10
    /// Most bytes of records, encoded: an append of the largest size, each byte a record.
    static let maximumRaw = 16 << 20
    private static let header: [UInt8] = [0x4C, 0x4E, 0x4A, 0x4C, 1]
    private static let checkBytes = 8

    // MARK: Encoding

    /// The chunk's bytes.
    func encoded() -> [UInt8] {
        var raw = ChunkWriter()
        var time: Int64 = 0
        for record in records {
            raw.append(signed: record.time &- time)
            time = record.time
            raw.append(record.stream.rawValue)
            raw.append(UInt64(record.writer))
            raw.append(UInt64(record.bytes.count))
            raw.bytes += record.bytes
        }
        precondition(!records.isEmpty && raw.bytes.count <= Self.maximumRaw)
        let frame = ZstdFrame.compressed(raw.bytes)
        var out = ChunkWriter(bytes: Self.header)
        out.append(frame == nil ? UInt8(0) : 1)
        out.append(UInt64(raw.bytes.count))
        out.bytes += frame ?? raw.bytes
        out.bytes += SHA256.hash(data: out.bytes).prefix(Self.checkBytes)
        return out.bytes
    }

    // MARK: Decoding

    /// Reads a chunk's bytes; nothing is believed before the check at the end matches.
    ///
    /// - Throws: `Flaw` for bytes that are no chunk, or not as they were written.
    init(decoding bytes: [UInt8]) throws(Flaw) {
        guard bytes.count > Self.header.count + Self.checkBytes else {
            throw Flaw(text: "is too short")
        }
        let body = bytes.dropLast(Self.checkBytes)
        guard
            SHA256.hash(data: body).prefix(Self.checkBytes).elementsEqual(
                bytes.suffix(Self.checkBytes))
        else { throw Flaw(text: "does not match its check") }
        var input = ChunkReader(body)
        guard try input.take(Self.header.count).elementsEqual(Self.header) else {
            throw Flaw(text: "has a header that is not known")
        }
        let codec = try input.byte()
        let size = try input.number()
        guard size > 0, size <= UInt64(Self.maximumRaw) else {
            throw Flaw(text: "claims \(size) bytes")
        }
        let stored = try input.take(input.left)
        let raw: [UInt8]
        switch codec {
        case 0: raw = Array(stored)
        case 1: raw = try ZstdFrame.content(of: Array(stored), size: Int(size))
        default: throw Flaw(text: "has codec \(codec), which is not known")
        }
        guard raw.count == Int(size) else { throw Flaw(text: "has a length other than it claims") }
        records = try Self.records(raw)
    }

    private static func records(_ raw: [UInt8]) throws(Flaw) -> [Record] {
        var input = ChunkReader(raw[...])
        var out: [Record] = []
        var time: Int64 = 0
        while input.left > 0 {
            time &+= try input.signed()
            guard let stream = LogStream(rawValue: try input.byte()) else {
                throw Flaw(text: "has a stream that is not known")
            }
            guard let writer = UInt32(exactly: try input.number()) else {
                throw Flaw(text: "has a writer that is not known")
            }
            let count = try input.number()
            guard count > 0, count <= UInt64(input.left) else {
                throw Flaw(text: "has a record of \(count) bytes")
            }
            out.append(
                Record(
                    time: time, stream: stream, writer: writer,
                    bytes: Array(try input.take(Int(count)))))
        }
        guard !out.isEmpty else { throw Flaw(text: "has no records") }
        return out
    }

    init(records: [Record]) { self.records = records }

    /// What is wrong with a chunk, before it is known which one it is.
    struct Flaw: Error {
        let text: String
    }
}

/// Writes numbers as LEB128: seven bits a byte, the lowest first.
private struct ChunkWriter {
    var bytes: [UInt8] = []

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Small numbers of either sign are short: 0, -1, 1, -2 become 0, 1, 2, 3.
    mutating func append(signed number: Int64) {
        append(UInt64(bitPattern: number << 1) ^ UInt64(bitPattern: number >> 63))
    }
}

/// Reads what `ChunkWriter` wrote; reading past the end is an error.
private struct ChunkReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var left: Int { rest.count }

    mutating func take(_ count: Int) throws(LogChunk.Flaw) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw LogChunk.Flaw(text: "ends too early") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func byte() throws(LogChunk.Flaw) -> UInt8 {
        guard let byte = rest.popFirst() else { throw LogChunk.Flaw(text: "ends too early") }
        return byte
    }

    mutating func number() throws(LogChunk.Flaw) -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try byte()
            guard shift < 63 || byte <= 1 else { break }
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
        }
        throw LogChunk.Flaw(text: "has a number that is too large")
    }

    mutating func signed() throws(LogChunk.Flaw) -> Int64 {
        let number = try number()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }
}
