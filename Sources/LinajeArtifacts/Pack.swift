package import LinajeDomain

/// The name of a pack: the SHA-256 of its header.
package struct PackName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let digest: SHA256Digest

    package init(_ digest: SHA256Digest) { self.digest = digest }

    /// The name in a backend's key; `nil` for a key that is not a pack's.
    package init?(key: String) {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "packs", parts[2].hasSuffix(".pack"),
            let digest = SHA256Digest(hex: parts[2].dropLast(".pack".count))
        else { return nil }
        self.digest = digest
        guard self.key == key else { return nil }
    }

    /// Where a backend keeps it: "packs/ab/abcd….pack".
    package var key: String {
        let hex = digest.description
        return "packs/\(hex.prefix(2))/\(hex).pack"
    }

    package static func < (left: Self, right: Self) -> Bool { left.digest < right.digest }

    package var description: String { digest.description }
}

/// One line of a pack's header.
package struct PackEntry: Sendable, Hashable {
    package var key: BlobKey
    package var codec: BlobCodec
    package var storedLength: UInt32
    package var contentLength: UInt32
    /// Bytes from the pack's start.
    package var offset: UInt64
    /// Of the stored bytes.
    package var check: BlobCheck

    /// Whether content of that length may take so many bytes: what a compressor makes of content
    /// that does not shrink is little more than the content.
    fileprivate var hasPossibleLength: Bool {
        guard codec != .stored else { return storedLength == contentLength }
        // As `ZSTD_compressBound`.
        let content = UInt64(contentLength)
        let (short, forShort) = (UInt64(128 << 10), UInt64(11))
        let frame = content + content >> 8 + (content < short ? (short - content) >> forShort : 0)
        return storedLength > 0 && UInt64(storedLength) <= frame
    }
}

/// What stands at the end of a pack: the list of its blobs.
///
/// ```
/// pack    = "LNJPACK1" | blob bytes … | header | trailer
/// header  = count * entry
/// entry   = u8 kind | u8 codec | u16 = 0 | u32 stored length | u32 content length
///         | u64 offset | 8 check | 32 key
/// trailer = u32 count | u32 header length | 32 sha256 of header | "LNJPEND1"
/// ```
/// Integers are little-endian; normative is `proto-spec/STORAGE.md`, "Packs".
package struct PackHeader: Sendable, Hashable {
    package static let magic = Array("LNJPACK1".utf8)
    /// Where `magic` stands.
    package static let magicRange = 0..<UInt64(magic.count)
    package static let endMagic = Array("LNJPEND1".utf8)
    package static let entryBytes = 60
    package static let trailerBytes = 48
    /// Most lines of a header: eight times what `PackBuilder` makes. A longer header is not read,
    /// whatever the pack's size, so that one takes 15 MiB at most.
    package static let maximumEntries = 8 * PackBuilder.maximumBlobs

    /// The blobs, in the order in which they lie.
    package var entries: [PackEntry]

    package init(entries: [PackEntry]) { self.entries = entries }

    /// All but the dictionaries: what the pack is there for.
    package var blobs: some Collection<PackEntry> {
        entries.lazy.filter { $0.key.kind != .dictionary }
    }

    /// The header's bytes.
    package var encoded: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(entries.count * PackHeader.entryBytes)
        for entry in entries {
            out.append(entry.key.kind.rawValue)
            out.append(entry.codec.rawValue)
            out.append(contentsOf: [0, 0])
            LittleEndian.append(entry.storedLength, to: &out)
            LittleEndian.append(entry.contentLength, to: &out)
            LittleEndian.append(entry.offset, to: &out)
            out.append(contentsOf: entry.check.bytes)
            out.append(contentsOf: entry.key.digest.bytes)
        }
        return out
    }

    /// The trailer for a header with these bytes.
    package static func trailer(count: Int, header: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        LittleEndian.append(UInt32(count), to: &out)
        LittleEndian.append(UInt32(header.count), to: &out)
        out.append(contentsOf: ContentHasher.digest(header).bytes)
        out.append(contentsOf: endMagic)
        return out
    }

    /// Reads a pack's header.
    ///
    /// - Parameters:
    ///   - header: the bytes before the trailer, as long as the trailer says.
    ///   - trailer: what `PackTrailer` read.
    ///   - size: bytes of the whole pack.
    /// - Throws: `corrupt` for a header that does not match the trailer or the pack's size,
    ///   `storeTooNew` for a kind, a codec or a flag that this version does not know.
    package init(_ header: [UInt8], trailer: PackTrailer, size: UInt64, pack: PackName) throws {
        guard ContentHasher.digest(header) == trailer.headerDigest else {
            throw PackHeader.corrupt(pack, "header does not match its digest")
        }
        var entries: [PackEntry] = []
        entries.reserveCapacity(trailer.count)
        var reader = LittleEndian.Reader(header)
        var end = UInt64(PackHeader.magic.count)
        for number in 0..<trailer.count {
            guard let entry = try PackHeader.entry(&reader, number: number, pack: pack) else {
                throw PackHeader.corrupt(pack, "header ends in entry \(number)")
            }
            guard entry.offset == end, entry.contentLength > 0,
                UInt64(entry.contentLength) <= entry.key.kind.maximumContent,
                entry.hasPossibleLength
            else { throw PackHeader.corrupt(pack, "entry \(number) is out of place or bounds") }
            let (next, overflow) = end.addingReportingOverflow(UInt64(entry.storedLength))
            guard !overflow else { throw PackHeader.corrupt(pack, "entry \(number) overflows") }
            end = next
            entries.append(entry)
        }
        guard reader.isAtEnd,
            size == end + UInt64(header.count) + UInt64(PackHeader.trailerBytes)
        else { throw PackHeader.corrupt(pack, "blobs do not fill the pack") }
        self.entries = entries
    }

    private static func entry(
        _ reader: inout LittleEndian.Reader, number: Int, pack: PackName
    ) throws -> PackEntry? {
        guard let kind = reader.byte(), let codec = reader.byte(), let flags = reader.bytes(2),
            let storedLength = reader.u32(), let contentLength = reader.u32(),
            let offset = reader.u64(),
            let check = reader.bytes(BlobCheck.byteCount).flatMap({ BlobCheck($0) }),
            let key = reader.bytes(32).flatMap({ SHA256Digest($0) })
        else { return nil }
        // The digest matched, so somebody meant what stands here: a newer version.
        guard let kind = BlobKind(rawValue: kind), BlobCodec(rawValue: codec).isReadable,
            flags.allSatisfy({ $0 == 0 })
        else {
            throw LinajeError(
                .storeTooNew,
                "\(pack.key) holds in entry \(number) a kind (\(kind)), codec (\(codec)) or flag "
                    + "that this version does not know; update linajed",
                details: ["pack": pack.key])
        }
        return PackEntry(
            key: BlobKey(kind, key), codec: BlobCodec(rawValue: codec),
            storedLength: storedLength, contentLength: contentLength, offset: offset,
            check: check)
    }

    static func corrupt(_ pack: PackName, _ finding: String) -> LinajeError {
        LinajeError(
            .corrupt, "\(pack.key): \(finding); restore the pack from a copy",
            details: ["pack": pack.key])
    }
}

/// The last bytes of a pack, which say where its header is.
package struct PackTrailer: Sendable, Hashable {
    package var count: Int
    package var headerLength: Int
    package var headerDigest: SHA256Digest

    /// - Parameters:
    ///   - bytes: the pack's last 48.
    ///   - size: bytes of the whole pack.
    ///   - pack: the name that the header must have.
    /// - Throws: `corrupt` for anything that is not the end of the pack of that name.
    package init(_ bytes: [UInt8], size: UInt64, pack: PackName) throws {
        var reader = LittleEndian.Reader(bytes)
        guard bytes.count == PackHeader.trailerBytes, let count = reader.u32(),
            let headerLength = reader.u32(),
            let digest = reader.bytes(32).flatMap({ SHA256Digest($0) }),
            reader.bytes(8).map({ $0.elementsEqual(PackHeader.endMagic) }) == true
        else { throw PackHeader.corrupt(pack, "trailer cannot be read") }
        let fixed = UInt64(PackHeader.magic.count + PackHeader.trailerBytes)
        guard UInt64(headerLength) == UInt64(count) * UInt64(PackHeader.entryBytes), count > 0,
            size >= fixed, UInt64(headerLength) <= size - fixed
        else { throw PackHeader.corrupt(pack, "trailer does not fit the pack") }
        guard count <= UInt32(PackHeader.maximumEntries) else {
            throw PackHeader.corrupt(
                pack, "trailer claims \(count) blobs, more than \(PackHeader.maximumEntries)")
        }
        guard digest == pack.digest else {
            throw PackHeader.corrupt(pack, "trailer is another pack's")
        }
        self.count = Int(count)
        self.headerLength = Int(headerLength)
        self.headerDigest = digest
    }
}
