import CZstd

/// One zstd frame that declares its content's size.
enum ZstdFrame {
    private static let level: Int32 = 3

    /// The frame, or `nil` when it would not be smaller than the content.
    static func compressed(_ content: [UInt8]) -> [UInt8]? {
        let room = content.count - 1
        guard room > 0 else { return nil }
        let out = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let result = content.withUnsafeBytes {
                ZSTD_compress(buffer.baseAddress, room, $0.baseAddress, $0.count, level)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        return out.isEmpty ? nil : out
    }

    /// - Parameter size: how many bytes the frame must yield; that much memory is taken for them.
    /// - Throws: for bytes that are not exactly one frame with that content.
    static func content(of frame: [UInt8], size: Int) throws(LogChunk.Flaw) -> [UInt8] {
        let (declared, length) = frame.withUnsafeBytes {
            (
                ZSTD_getFrameContentSize($0.baseAddress, $0.count),
                ZSTD_findFrameCompressedSize($0.baseAddress, $0.count)
            )
        }
        // An unknown or unreadable size is one of the two largest numbers.
        guard declared == UInt64(size), ZSTD_isError(length) == 0, length == frame.count else {
            throw LogChunk.Flaw(text: "is not exactly one zstd frame of \(size) bytes")
        }
        let out = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let result = frame.withUnsafeBytes {
                ZSTD_decompress(buffer.baseAddress, size, $0.baseAddress, $0.count)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        guard out.count == size else {
            throw LogChunk.Flaw(text: "does not yield its \(size) bytes")
        }
        return out
    }
}
