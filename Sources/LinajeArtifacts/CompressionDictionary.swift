import CZstd
package import LinajeDomain

/// What small files have in common, so that not each of them says it again: a zstd dictionary
/// (RFC 8878, 5), which stands in the pack before the blobs that need it.
package final class CompressionDictionary: Sendable {
    /// Longest content that is compressed with one: what is longer says it all itself.
    static let longestContent = 32 << 10
    /// Longest dictionary that is made.
    static let longest = 64 << 10
    /// Fewest contents that a dictionary is made of, and their bytes.
    static let fewestSamples = 24
    static let fewestBytes = 48 << 10
    /// Bytes of contents for each byte of the dictionary: a long one is worth less than it takes.
    private static let bytesPerByte = 8
    /// Above that of other blobs, as tables are small here and most of the time goes elsewhere.
    private static let level: Int32 = 3

    private struct Tables: @unchecked Sendable {
        // Safe: zstd only reads digested dictionaries, and they are freed with their owner.
        var compressing: OpaquePointer?
        var decompressing: OpaquePointer?
    }

    /// As it stands in a pack: a blob of its own.
    package let blob: EncodedBlob
    private let tables: Tables

    /// A dictionary that is made of contents; `nil` when they are too few, or have too little in
    /// common.
    ///
    /// - Throws: `limitExceeded`, never for one that was made here.
    init?(madeOf samples: [[UInt8]]) throws {
        let bytes = samples.reduce(0) { $0 + $1.count }
        guard samples.count >= Self.fewestSamples, bytes >= Self.fewestBytes,
            let count = UInt32(exactly: samples.count)
        else { return nil }
        var all: [UInt8] = []
        all.reserveCapacity(bytes)
        for sample in samples { all += sample }
        let room = min(Self.longest, bytes / Self.bytesPerByte)
        let content = [UInt8](unsafeUninitializedCapacity: room) { buffer, length in
            let result = ZDICT_trainFromBuffer(
                buffer.baseAddress, room, all, samples.map(\.count), count)
            length = ZDICT_isError(result) == 0 ? result : 0
        }
        guard !content.isEmpty else { return nil }
        let key = BlobKey(.dictionary, ContentHasher.digest(content))
        guard
            let blob = try BlobEncoding.encode([RawBlob(key: key, content: content)]).first,
            let compressing = ZSTD_createCDict(content, content.count, Self.level)
        else { return nil }
        self.blob = blob
        tables = Tables(
            compressing: compressing,
            decompressing: ZSTD_createDDict(content, content.count))
    }

    /// A dictionary that was read, to read with.
    ///
    /// - Parameters:
    ///   - blob: as it stands in the pack.
    ///   - content: what it decodes to.
    /// - Returns: `nil` for content that zstd does not take for one.
    init?(_ blob: EncodedBlob, content: [UInt8]) {
        guard let decompressing = ZSTD_createDDict(content, content.count) else { return nil }
        self.blob = blob
        tables = Tables(compressing: nil, decompressing: decompressing)
    }

    deinit {
        ZSTD_freeCDict(tables.compressing)
        ZSTD_freeDDict(tables.decompressing)
    }

    package var digest: SHA256Digest { blob.key.digest }

    /// Whether a blob may be compressed with it.
    static func isFor(_ blob: RawBlob) -> Bool {
        blob.key.kind == .chunk && blob.content.count <= longestContent
    }

    /// The frame, without a number of the dictionary in it; `nil` when it would not be smaller than
    /// the content.
    func compress(_ content: [UInt8], _ context: OpaquePointer) -> [UInt8]? {
        let room = content.count - 1
        guard room > 0, let dictionary = tables.compressing else { return nil }
        let out = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
            ZSTD_CCtx_refCDict(context, dictionary)
            ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0)
            let result = ZSTD_compress2(
                context, buffer.baseAddress, room, content, content.count)
            count = ZSTD_isError(result) == 0 ? result : 0
            // It may be gone when the context is used again.
            ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
        }
        return out.isEmpty ? nil : out
    }

    /// Decodes a frame: zstd's result.
    func decompress(
        _ stored: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer,
        _ context: OpaquePointer
    ) -> Int {
        ZSTD_decompress_usingDDict(
            context, content.baseAddress, content.count, stored.baseAddress, stored.count,
            tables.decompressing)
    }
}
