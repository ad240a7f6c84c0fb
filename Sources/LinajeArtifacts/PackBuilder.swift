import LinajeDomain

/// A pack that is being filled, in memory.
///
/// Its name is the digest of its header, so it has none before it is sealed; that is why it is
/// gathered here and not streamed to the backend, which wants the key first.
package struct PackBuilder: Sendable {
    /// A pack is sealed when it has so many bytes; a blob that is longer has one of its own.
    package static let targetBytes = 16 << 20
    /// A pack is sealed when it has so many blobs, however small.
    package static let maximumBlobs = 32_768

    private var bytes: [UInt8]
    private var header = PackHeader(entries: [])
    /// The last that stands in it.
    private var dictionary: SHA256Digest?

    /// - Parameter old: the body of a pack that is written, whose memory is used again.
    package init(reusing old: consuming [UInt8] = []) {
        bytes = consume old
        bytes.removeAll(keepingCapacity: true)
        bytes += PackHeader.magic
    }

    package var isEmpty: Bool { header.entries.isEmpty }
    /// Bytes of magic and blobs.
    package var size: Int { bytes.count }
    package var isFull: Bool {
        bytes.count >= PackBuilder.targetBytes || header.entries.count >= PackBuilder.maximumBlobs
    }

    /// Appends a blob, and before it the dictionary that it needs unless that is the last one there.
    package mutating func append(_ blob: EncodedBlob) {
        if let needed = blob.dictionary, needed.digest != dictionary {
            dictionary = needed.digest
            add(needed.blob)
        }
        add(blob)
    }

    private mutating func add(_ blob: EncodedBlob) {
        header.entries.append(
            PackEntry(
                key: blob.key, codec: blob.codec, storedLength: UInt32(blob.stored.count),
                contentLength: blob.contentLength, offset: UInt64(bytes.count),
                check: blob.check))
        // Room for the whole pack at once: growing by doubling would take twice as much, and copy.
        if header.entries.count == 1 {
            bytes.reserveCapacity(PackBuilder.targetBytes + blob.stored.count)
        }
        bytes.append(contentsOf: blob.stored)
    }

    /// The pack with header and trailer, read back as a reader would.
    ///
    /// - Throws: `internalError` when what was written does not read as what was meant.
    package consuming func seal() throws -> SealedPack {
        let encoded = header.encoded
        let name = PackName(ContentHasher.digest(encoded))
        let tail =
            encoded + PackHeader.trailer(count: header.entries.count, header: encoded)
        let pack = SealedPack(name: name, header: header, body: bytes, tail: tail)

        let trailer = try PackTrailer(
            Array(tail.suffix(PackHeader.trailerBytes)), size: pack.size, pack: name)
        let read = try PackHeader(
            Array(tail.prefix(trailer.headerLength)), trailer: trailer, size: pack.size,
            pack: name)
        guard read == header else {
            throw LinajeError(
                .internalError, "\(name.key) does not read as it was written; try again")
        }
        return pack
    }
}

/// A pack as it will stand in the backend.
package struct SealedPack: Sendable {
    package var name: PackName
    package var header: PackHeader
    /// Magic and blobs. Apart from the tail, so that sealing copies no blob.
    package var body: [UInt8]
    /// Header and trailer.
    package var tail: [UInt8]

    /// Bytes of the whole.
    package var size: UInt64 { UInt64(body.count) + UInt64(tail.count) }
}
