import LinajeDomain

/// Decodes the blobs of a pack in the order in which they lie, so that the dictionary that some of
/// them need has been seen.
struct PackDecoder: Sendable {
    private let pack: PackName
    private var dictionary: CompressionDictionary?

    init(_ pack: PackName) { self.pack = pack }

    /// The content of a blob, checked.
    ///
    /// - Parameters:
    ///   - bytes: of the pack, from `start` on; where they end too early the blob is damaged.
    /// - Throws: `corrupt`, `storeTooNew`, as `BlobReader.content` does.
    mutating func content(
        _ entry: PackEntry, of bytes: [UInt8], from start: UInt64
    ) throws -> [UInt8] {
        let location = BlobLocation(entry, in: pack)
        let stored = Array(bytes[location.part(of: bytes.count, from: start)])
        // What follows a damaged one has none, rather than the one before.
        if entry.key.kind == .dictionary { dictionary = nil }
        let content = try BlobReader.content(stored, at: location, dictionary: dictionary)
        if entry.key.kind == .dictionary {
            dictionary = try CompressionDictionary.read(content, stored: stored, at: location)
        }
        return content
    }
}

extension CompressionDictionary {
    /// A dictionary that was read, and checked.
    ///
    /// - Throws: `corrupt` for content that zstd does not take for one.
    static func read(
        _ content: [UInt8], stored: [UInt8], at location: BlobLocation
    ) throws -> CompressionDictionary {
        let blob = EncodedBlob(
            key: location.key, codec: location.codec, contentLength: location.contentLength,
            stored: stored, check: location.check)
        guard let dictionary = CompressionDictionary(blob, content: content) else {
            throw BlobEncoding.corrupt(location, "is no dictionary of zstd")
        }
        return dictionary
    }
}
