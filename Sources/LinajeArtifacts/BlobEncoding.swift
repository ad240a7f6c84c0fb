import CZstd
import LinajeDomain

/// Turns content into the bytes of a blob and back.
///
/// Written is zstd level 1, of the content or of its byte planes, or the content itself, whichever
/// is smaller as far as a probe of a quarter of a chunk can tell. Content that does not shrink costs
/// one attempt: the attempt gets less room than the content takes, and gives up when it is used up.
package enum BlobEncoding {
    /// The largest window that a frame may need: 8 MiB.
    package static let maximumWindow: UInt64 = 8 << 20
    /// A zstd block of 4 bytes yields at most 128 KiB: no frame yields more for its length.
    private static let maximumRatio: UInt64 = 32_768
    private static let level: Int32 = 1
    /// A recipe below this is a few digests, which do not shrink.
    private static let shortRecipe = 256

    /// Encodes blobs one after the other, with one compressor.
    ///
    /// - Parameter dictionary: for small chunks, if they have something in common.
    /// - Throws: `limitExceeded` for content longer than its kind may be.
    package static func encode(
        _ blobs: some Sequence<RawBlob>, dictionary: CompressionDictionary? = nil
    ) throws -> [EncodedBlob] {
        let context = ZstdContexts.compressors.take()
        defer { ZstdContexts.compressors.give(back: context) }
        return try blobs.map { blob in
            let length = UInt64(blob.content.count)
            guard length > 0, length <= blob.key.kind.maximumContent,
                let contentLength = UInt32(exactly: length)
            else {
                throw LinajeError(
                    .limitExceeded,
                    "\(blob.key) has \(length) bytes; 1 to \(blob.key.kind.maximumContent) "
                        + "can be stored: use smaller files or fewer")
            }
            if let context, let (codec, compressed) = shrink(blob, dictionary, context) {
                return EncodedBlob(
                    key: blob.key, codec: codec, contentLength: contentLength, stored: compressed,
                    check: BlobCheck(ContentHasher.digest(compressed)),
                    dictionary: codec == .dictionary ? dictionary : nil)
            }
            // The key of all but recipes is the digest of the content, and that is what is stored.
            let digest =
                blob.key.kind == .recipe ? ContentHasher.digest(blob.content) : blob.key.digest
            return EncodedBlob(
                key: blob.key, codec: .stored, contentLength: contentLength, stored: blob.content,
                check: BlobCheck(digest))
        }
    }

    /// The smaller form of a blob, or `nil` when there is none.
    private static func shrink(
        _ blob: RawBlob, _ dictionary: CompressionDictionary?, _ context: OpaquePointer
    ) -> (BlobCodec, [UInt8])? {
        if blob.key.kind == .chunk, let layout = planes(blob.content, context),
            let codec = BlobCodec.planes(layout),
            let frame = compressPlanes(blob.content, layout, context)
        {
            return (codec, frame)
        }
        if let dictionary, CompressionDictionary.isFor(blob) {
            return dictionary.compress(blob.content, context).map { (.dictionary, $0) }
        }
        if blob.key.kind == .recipe, blob.content.count < shortRecipe { return nil }
        return compress(blob.content, context).map { (.zstd, $0) }
    }

    /// The planes that are likely to be smaller than the content as it is.
    private static func planes(_ content: [UInt8], _ context: OpaquePointer) -> PlaneLayout? {
        let probe = CodecProbe(content)
        guard let planes = probe.planes else { return nil }
        // Repeats may be worth more than the shape of the noise: only the compressor finds them.
        let plain = compress(probe.sample, context)?.count ?? probe.sample.count
        return planes.bytes < Double(plain) ? planes.layout : nil
    }

    /// The zstd frame of the content's planes, or `nil` when it would not be smaller.
    ///
    /// Blocks end where planes do, so that each has an entropy code of its own. Matches that chance
    /// makes in a plane cost more than they save, so only long ones are looked for, in few places.
    private static func compressPlanes(
        _ content: [UInt8], _ layout: PlaneLayout, _ context: OpaquePointer
    ) -> [UInt8]? {
        let planes = content.withUnsafeBytes { BytePlanes.split($0, layout) }
        let room = content.count - 1
        let length = (content.count - (layout.turnedFrom ?? 0)) / layout.width
        let ends = (1...layout.width).map { $0 == layout.width ? planes.count : length * $0 }
        let out = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            count = 0
            ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
            ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
            ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7)
            ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6)
            ZSTD_CCtx_setPledgedSrcSize(context, UInt64(planes.count))
            planes.withUnsafeBytes { planes in
                var input = ZSTD_inBuffer(src: planes.baseAddress, size: 0, pos: 0)
                var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: room, pos: 0)
                for end in ends {
                    input.size = end
                    let left = ZSTD_compressStream2(
                        context, &output, &input,
                        end == planes.count ? ZSTD_e_end : ZSTD_e_flush)
                    // An error, or something that has no room any more.
                    guard left == 0, input.pos == end else { return }
                }
                count = output.pos
            }
        }
        return out.isEmpty ? nil : out
    }

    /// The zstd frame, or `nil` when it would not be smaller than the content.
    static func compress(_ content: [UInt8], _ context: OpaquePointer) -> [UInt8]? {
        let room = content.count - 1
        guard room > 0 else { return nil }
        let out = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let result = content.withUnsafeBytes {
                ZSTD_compressCCtx(
                    context, buffer.baseAddress, room, $0.baseAddress, $0.count, level)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        return out.isEmpty ? nil : out
    }

    /// Decodes a blob; nothing is believed that the bytes say of themselves.
    ///
    /// Readers compare the bytes with the blob's check before: see `BlobReader.content`.
    ///
    /// - Parameter dictionary: what it needs, for codec `dictionary`.
    /// - Throws: `storeTooNew` for a codec that this version does not read, `corrupt` for bytes
    ///   that are not exactly one frame of `location.contentLength` bytes within the bounds.
    package static func decode(
        _ stored: [UInt8], at location: BlobLocation, dictionary: CompressionDictionary? = nil
    ) throws -> [UInt8] {
        try check(stored.count, at: location)
        if location.codec == .stored { return stored }
        let length = Int(location.contentLength)
        return try [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            let room = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: length)
            try stored.withUnsafeBytes {
                try decompress($0, at: location, dictionary, into: room)
            }
            count = length
        }
    }

    /// As the other, to where the content belongs: `room` is as long as the content.
    static func decode(
        _ stored: UnsafeRawBufferPointer, at location: BlobLocation,
        dictionary: CompressionDictionary?, into room: UnsafeMutableRawBufferPointer
    ) throws {
        precondition(room.count == Int(location.contentLength), "other room than the content takes")
        try check(stored.count, at: location)
        if location.codec == .stored {
            room.copyMemory(from: stored)
        } else {
            try decompress(stored, at: location, dictionary, into: room)
        }
    }

    /// - Throws: unless so many bytes may be the blob's.
    static func check(_ count: Int, at location: BlobLocation) throws {
        guard location.codec.isReadable else {
            throw LinajeError(
                .storeTooNew,
                "\(location.key) is stored with codec \(location.codec.rawValue), which this "
                    + "version does not read; update linajed")
        }
        guard count == Int(location.storedLength) else {
            throw corrupt(location, "ends after \(count) of its bytes")
        }
        guard UInt64(location.contentLength) <= location.key.kind.maximumContent else {
            throw corrupt(location, "claims \(location.contentLength) bytes")
        }
        guard location.codec != .stored || location.storedLength == location.contentLength else {
            throw corrupt(location, "has a length other than its content's")
        }
    }

    private static func decompress(
        _ stored: UnsafeRawBufferPointer, at location: BlobLocation,
        _ dictionary: CompressionDictionary?, into room: UnsafeMutableRawBufferPointer
    ) throws {
        guard location.codec != .dictionary || dictionary != nil else {
            throw corrupt(location, "lacks the dictionary that it needs")
        }
        try checkFrame(stored, at: location)
        guard let context = ZstdContexts.decompressors.take() else {
            throw LinajeError(.overloaded, "no memory to read \(location.key); try again")
        }
        defer { ZstdContexts.decompressors.give(back: context) }
        func decompress(into target: UnsafeMutableRawBufferPointer) throws {
            let needed = location.codec == .dictionary ? dictionary : nil
            let result =
                needed?.decompress(stored, into: target, context)
                ?? ZSTD_decompressDCtx(
                    context, target.baseAddress, target.count, stored.baseAddress, stored.count)
            guard ZSTD_isError(result) == 0, result == target.count else {
                throw corrupt(location, "does not yield its \(target.count) bytes")
            }
        }
        guard let layout = location.codec.planes else { return try decompress(into: room) }
        try withUnsafeTemporaryAllocation(byteCount: room.count, alignment: 16) { planes in
            try decompress(into: planes)
            BytePlanes.join(UnsafeRawBufferPointer(planes), layout, into: room)
        }
    }

    /// One frame, whole, that declares the content's size and needs a small window.
    ///
    /// The window is read from the frame's header (RFC 8878, 3.1.1.1) because zstd's own bound
    /// does not apply when a frame is decoded in one go.
    private static func checkFrame(
        _ stored: UnsafeRawBufferPointer, at location: BlobLocation
    ) throws {
        guard stored.count >= 6, stored[0] == 0x28, stored[1] == 0xB5, stored[2] == 0x2F,
            stored[3] == 0xFD
        else { throw corrupt(location, "is no zstd frame") }
        let descriptor = stored[4]
        guard descriptor & 0x03 == 0 else { throw corrupt(location, "names a dictionary") }
        guard descriptor & 0x18 == 0 else {
            throw corrupt(location, "has bits set that mean nothing")
        }
        let isSingleSegment = descriptor & 0x20 != 0
        if isSingleSegment {
            guard UInt64(location.contentLength) <= maximumWindow else {
                throw corrupt(location, "needs a window of \(location.contentLength) bytes")
            }
        } else {
            let base: UInt64 = 1 << (10 + UInt64(stored[5] >> 3))
            let window = base + base / 8 * UInt64(stored[5] & 7)
            guard window <= maximumWindow else {
                throw corrupt(location, "needs a window of \(window) bytes")
            }
        }
        let size = ZSTD_getFrameContentSize(stored.baseAddress, stored.count)
        let frame = ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count)
        // An unknown or unreadable size is one of the two largest numbers: never a content length.
        guard size == UInt64(location.contentLength) else {
            throw corrupt(location, "does not declare its \(location.contentLength) bytes")
        }
        guard ZSTD_isError(frame) == 0, frame == stored.count else {
            throw corrupt(location, "is not exactly one zstd frame")
        }
        guard size / maximumRatio <= UInt64(stored.count) else {
            throw corrupt(location, "claims more bytes than its frame can yield")
        }
    }

    static func corrupt(_ location: BlobLocation, _ finding: String) -> LinajeError {
        LinajeError(
            .corrupt,
            "\(location.key) in \(location.pack.key) \(finding); restore the pack from a copy",
            details: ["pack": location.pack.key, "blob": location.key.description])
    }
}
