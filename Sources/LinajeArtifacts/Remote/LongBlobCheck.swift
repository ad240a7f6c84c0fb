import CZstd
import LinajeDomain
import Synchronization

/// Checks a blob piece by piece, for one that is too long to be in memory as a whole: the memory is
/// that of a piece, of zstd's window and of one block of content, whatever the blob's lengths are.
///
/// The decoder sees bytes before the blob's check is compared, which needs them all: nothing may be
/// believed, and nothing of a copy may be visible, before `finish`.
final class LongBlobCheck: Sendable {
    /// Content that is made in one turn; a few bytes of a frame may be very much of it.
    private static let turnBytes = 32 << 20
    /// Of a window of `BlobEncoding.maximumWindow`.
    private static let windowLog: Int32 = 23

    private struct State: @unchecked Sendable {
        // Safe: the context belongs to this state, which is behind a lock.
        let zstd: OpaquePointer?
        var stored = ContentHasher()
        var content = ContentHasher()
        /// In place of `content`, of a recipe.
        var recipe: RecipeCheck
        var contentLength: UInt64 = 0
        var hasBegun = false
        var isFrameOver = false
    }

    private let location: BlobLocation
    private let state: Mutex<State>

    /// - Throws: `corrupt` for a codec that no long blob has, `overloaded` without memory.
    init(_ location: BlobLocation) throws {
        var zstd: OpaquePointer?
        switch location.codec {
        case .stored: break
        case .zstd:
            zstd = ZSTD_createDCtx()
            guard zstd != nil else {
                throw LinajeError(.overloaded, "no memory to read \(location.key); try again")
            }
            ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, Self.windowLog)
        default:
            throw BlobEncoding.corrupt(
                location, "has codec \(location.codec.rawValue), which only chunks have")
        }
        self.location = location
        state = Mutex(State(zstd: zstd, recipe: RecipeCheck(location)))
    }

    deinit { state.withLock { _ = ZSTD_freeDCtx($0.zstd) } }

    /// Takes the next stored bytes; `decode` is to be called with them before the next come.
    func take(_ piece: [UInt8]) { state.withLock { $0.stored.update(piece) } }

    /// Decodes stored bytes, a part of them in each turn.
    ///
    /// - Parameter position: 0, and then what was returned.
    /// - Returns: where to go on; `nil` when nothing is left of the piece.
    /// - Throws: `corrupt`, `storeTooNew` for what cannot be the blob.
    func decode(_ piece: [UInt8], from position: Int) throws -> Int? {
        try state.withLock { state in
            try piece.withUnsafeBytes { piece in
                if location.codec == .stored {
                    try add(piece, to: &state)
                    return nil
                }
                if !state.hasBegun { try checkFrame(piece) }
                state.hasBegun = true
                return try decompress(piece, from: position, &state)
            }
        }
    }

    /// Once all stored bytes were taken and decoded.
    ///
    /// - Throws: `corrupt` unless they were the blob.
    func finish() throws {
        let state = state.withLock { $0 }
        guard BlobCheck(state.stored.digest) == location.check else {
            throw BlobEncoding.corrupt(location, "is not stored as it was written")
        }
        guard state.contentLength == UInt64(location.contentLength),
            state.isFrameOver || location.codec == .stored
        else {
            throw BlobEncoding.corrupt(
                location, "does not yield its \(location.contentLength) bytes")
        }
        guard location.key.kind != .recipe else { return try state.recipe.finish() }
        guard state.content.digest == location.key.digest else {
            throw BlobEncoding.corrupt(location, "does not match its digest")
        }
    }

    private func decompress(
        _ piece: UnsafeRawBufferPointer, from position: Int, _ state: inout State
    ) throws -> Int? {
        var input = ZSTD_inBuffer(src: piece.baseAddress, size: piece.count, pos: position)
        return try withUnsafeTemporaryAllocation(
            byteCount: ZSTD_DStreamOutSize(), alignment: 16
        ) { room in
            var made = 0
            while made < Self.turnBytes {
                guard !state.isFrameOver else {
                    guard input.pos == input.size else {
                        throw BlobEncoding.corrupt(location, "is not exactly one zstd frame")
                    }
                    return nil
                }
                var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
                let left = ZSTD_decompressStream(state.zstd, &output, &input)
                guard ZSTD_isError(left) == 0 else {
                    throw BlobEncoding.corrupt(
                        location, "is not a zstd frame of its \(location.contentLength) bytes")
                }
                try add(UnsafeRawBufferPointer(rebasing: room[..<output.pos]), to: &state)
                made += output.pos
                state.isFrameOver = left == 0
                // All that could be made of this piece has been made.
                if !state.isFrameOver, input.pos == input.size, output.pos < output.size {
                    return nil
                }
            }
            return input.pos
        }
    }

    private func add(_ bytes: UnsafeRawBufferPointer, to state: inout State) throws {
        state.contentLength += UInt64(bytes.count)
        guard state.contentLength <= UInt64(location.contentLength) else {
            throw BlobEncoding.corrupt(
                location, "yields more than its \(location.contentLength) bytes")
        }
        if location.key.kind == .recipe {
            try state.recipe.add(bytes)
        } else {
            state.content.update(bytes)
        }
    }

    /// What `BlobEncoding` asks of a frame's first bytes; the window zstd bounds itself here.
    private func checkFrame(_ piece: UnsafeRawBufferPointer) throws {
        guard piece.count >= 6, piece.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else {
            throw BlobEncoding.corrupt(location, "is no zstd frame")
        }
        guard piece[4] & 0x1B == 0 else {
            throw BlobEncoding.corrupt(location, "names a dictionary or has bits that mean nothing")
        }
        let size = ZSTD_getFrameContentSize(piece.baseAddress, piece.count)
        guard size == UInt64(location.contentLength) else {
            throw BlobEncoding.corrupt(
                location, "does not declare its \(location.contentLength) bytes")
        }
    }
}
