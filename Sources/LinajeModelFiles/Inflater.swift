import CZlib
import LinajeDomain

/// Unpacks a deflated stream piece by piece, so that memory is what the caller keeps (RFC 1950 to
/// 1952, by zlib). Used by one task at a time.
package final class Inflater {
    /// What is around the deflated bytes.
    package enum Container: Sendable {
        /// Nothing: members of ZIP archives.
        case raw
        case zlib, gzip

        fileprivate var windowBits: Int32 {
            switch self {
            case .raw: -15
            case .zlib: 15
            case .gzip: 31
            }
        }
    }

    private let name: String
    private let stream: UnsafeMutablePointer<z_stream>
    private let isReady: Bool
    private var scratch: [UInt8]
    /// Whether the end of the stream has been seen and its checksum, if it has one, is right.
    package private(set) var isFinished = false

    /// - Parameter name: What errors call the stream.
    package init(_ container: Container, name: String) {
        self.name = name
        // zlib keeps the address of its stream.
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        isReady =
            inflateInit2_(
                stream, container.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            == Z_OK
        scratch = [UInt8](repeating: 0, count: 64 << 10)
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Unpacks from `input` and appends to `output`, until the input is used up, the stream ends or
    /// `output` has `limit` bytes.
    ///
    /// - Returns: How many bytes of the input were used.
    /// - Throws: `invalidArgument` for what is no such stream.
    package func inflate(
        _ input: ArraySlice<UInt8>, into output: inout [UInt8], limit: Int
    ) throws -> Int {
        guard isReady else {
            throw LinajeError(.overloaded, "there is no memory to unpack \(name)")
        }
        guard !isFinished, let total = UInt32(exactly: input.count) else { return 0 }
        return try input.withUnsafeBufferPointer { source in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = total
            defer { stream.pointee.next_in = nil }
            while output.count < limit, !isFinished {
                let room = min(scratch.count, limit - output.count)
                let before = stream.pointee.avail_in
                let (status, got) = step(room)
                output += scratch[..<got]
                switch status {
                case Z_STREAM_END: isFinished = true
                case Z_OK where got > 0 || stream.pointee.avail_in < before: continue
                case Z_OK, Z_BUF_ERROR: return Int(total - stream.pointee.avail_in)
                default: throw LinajeError(.invalidArgument, "\(name) is no deflated stream")
                }
            }
            return Int(total - stream.pointee.avail_in)
        }
    }

    private func step(_ room: Int) -> (status: Int32, got: Int) {
        scratch.withUnsafeMutableBufferPointer { out in
            stream.pointee.next_out = out.baseAddress
            stream.pointee.avail_out = UInt32(room)
            let status = CZlib.inflate(stream, Z_NO_FLUSH)
            let got = room - Int(stream.pointee.avail_out)
            stream.pointee.next_out = nil
            return (status, got)
        }
    }

    /// A whole stream that should be small.
    ///
    /// - Throws: `limitExceeded` for one that unpacks to more than `limit` bytes, `invalidArgument`
    ///   for one that is torn or damaged.
    package static func whole(
        _ input: [UInt8], _ container: Container, limit: Int, name: String
    ) throws -> [UInt8] {
        let inflater = Inflater(container, name: name)
        var output: [UInt8] = []
        _ = try inflater.inflate(input[...], into: &output, limit: limit &+ 1)
        guard output.count <= limit else {
            throw LinajeError(
                .limitExceeded, "\(name) unpacks to more than the \(limit) bytes that are read")
        }
        guard inflater.isFinished else {
            throw LinajeError(.invalidArgument, "\(name) ends inside its deflated stream")
        }
        return output
    }
}

/// The checksum of ZIP and gzip (ISO 3309, by zlib).
package struct CRC32: Sendable {
    package private(set) var value: UInt32 = 0

    package init() {}

    package mutating func add(_ bytes: ArraySlice<UInt8>) {
        value = bytes.withUnsafeBufferPointer { part in
            UInt32(truncatingIfNeeded: crc32_z(UInt(value), part.baseAddress, part.count))
        }
    }

    package static func of(_ bytes: [UInt8]) -> UInt32 {
        var sum = CRC32()
        sum.add(bytes[...])
        return sum.value
    }
}
