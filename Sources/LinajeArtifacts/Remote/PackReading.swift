import LinajeDomain

/// Reads a whole pack and believes none of its bytes before they are checked: the first ones, and
/// each blob against its check and its key. It takes little memory whatever the pack says of itself.
struct PackReading: Sendable {
    /// Stored bytes that are fetched at a time.
    static let groupBytes: UInt64 = 4 << 20
    /// Bytes of content that are made of them at a time: frames of a few bytes may hold very much.
    static let groupContent: UInt64 = 32 << 20

    let source: BlobReader
    let pool: WorkerPool

    /// - Parameters:
    ///   - header: of the pack, as its name vouches for it.
    ///   - take: gets all that stands before the header, in order. A blob of several pieces is known
    ///     to be right only when this method returns.
    /// - Throws: `corrupt`, `incomplete` or `storeTooNew` for a pack that is not what its header says;
    ///   what `take` throws.
    func read(
        _ pack: PackName, _ header: PackHeader, take: ([UInt8]) async throws -> Void
    ) async throws {
        guard try await source.bytes(of: pack, PackHeader.magicRange) == PackHeader.magic else {
            throw PackHeader.corrupt(pack, "does not begin as packs do")
        }
        try await take(PackHeader.magic)
        var rest = header.entries[...]
        var decoder = PackDecoder(pack)
        while let first = rest.first {
            try Task.checkCancellation()
            guard !Self.isLong(first) else {
                rest = rest.dropFirst()
                try await readLong(first, of: pack, take: take)
                continue
            }
            let group = Self.group(rest)
            rest = rest.dropFirst(group.count)
            try await take(try await checked(group, from: first.offset, of: pack, &decoder))
        }
    }

    /// The bytes of blobs that lie one after the other.
    private func checked(
        _ group: ArraySlice<PackEntry>, from start: UInt64, of pack: PackName,
        _ decoder: inout PackDecoder
    ) async throws -> [UInt8] {
        let length = group.reduce(0) { $0 + UInt64($1.storedLength) }
        let bytes = try await bytes(of: pack, start..<start + length)
        let before = decoder
        decoder = try await pool.run {
            var decoder = before
            for entry in group { _ = try decoder.content(entry, of: bytes, from: start) }
            return decoder
        }
        return bytes
    }

    /// Checks a blob piece by piece.
    ///
    /// - Parameter take: gets its stored bytes before they are known to be right.
    /// - Throws: `corrupt`, `storeTooNew` unless they are.
    func readLong(
        _ entry: PackEntry, of pack: PackName, take: ([UInt8]) async throws -> Void
    ) async throws {
        let check = try LongBlobCheck(BlobLocation(entry, in: pack))
        let end = entry.offset + UInt64(entry.storedLength)
        var start = entry.offset
        while start < end {
            let next = start + min(end - start, Self.groupBytes)
            let piece = try await bytes(of: pack, start..<next)
            try await pool.run { check.take(piece) }
            var position: Int? = 0
            while let from = position {
                try Task.checkCancellation()
                position = try await pool.run { try check.decode(piece, from: from) }
            }
            try await take(piece)
            start = next
        }
        try check.finish()
    }

    /// Exactly the bytes of the range, which the header says are there.
    private func bytes(of pack: PackName, _ range: Range<UInt64>) async throws -> [UInt8] {
        let bytes = try await source.bytes(of: pack, range)
        guard UInt64(bytes.count) == range.upperBound - range.lowerBound else {
            throw PackHeader.corrupt(
                pack,
                "gives \(bytes.count) bytes where it has \(range.upperBound - range.lowerBound)")
        }
        return bytes
    }

    /// Whether it is read in pieces; no chunk and no dictionary is.
    private static func isLong(_ entry: PackEntry) -> Bool {
        UInt64(max(entry.storedLength, entry.contentLength)) > groupBytes
    }

    /// The first of these blobs, one at least, that are read together.
    private static func group(_ entries: ArraySlice<PackEntry>) -> ArraySlice<PackEntry> {
        var (stored, content): (UInt64, UInt64) = (0, 0)
        return entries.prefix { entry in
            stored += UInt64(entry.storedLength)
            content += UInt64(entry.contentLength)
            return !isLong(entry) && stored <= groupBytes && content <= groupContent
        }
    }
}
