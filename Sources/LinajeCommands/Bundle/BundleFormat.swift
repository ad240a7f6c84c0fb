import LinajeArtifacts
import LinajeDomain

/// The bytes of a bundle (normative: `proto-spec/STORAGE.md`, "Bundles").
///
/// ```
/// bundle  = "LNJBNDL1" | record … | trailer
/// record  = u8 kind | u8 codec | u16 = 0 | u32 stored length | u32 content length | 8 check
///         | 32 key | stored bytes                                                   (52 bytes + …)
/// trailer = u64 records | u64 length of all before | 32 sha256 of all before
///         | u8 signed | 32 public key | 64 signature | "LNJBEND1"                   (153 bytes)
/// ```
enum BundleFormat {
    static let magic = Array("LNJBNDL1".utf8)
    static let endMagic = Array("LNJBEND1".utf8)
    static let headerBytes = 52
    static let trailerBytes = 153
    /// What is signed: this text and the digest.
    static let signedText = Array("linaje bundle 1\n".utf8)

    /// What a record holds.
    enum Kind: UInt8, Sendable {
        /// A part of files; its key is the SHA-256 of it.
        case chunk = 1
        /// A file as places of chunks; its key is the SHA-256 of the file.
        case file = 2
        /// A tree's canonical text; its key is the tree's digest.
        case tree = 3
        /// A BundleObject; its key is the SHA-256 of it.
        case object = 4
        /// BundlePoints; its key is the SHA-256 of it.
        case points = 5

        /// Content of one in bytes, at most.
        var maximumContent: UInt64 {
            switch self {
            case .chunk, .points: 1 << 20
            case .file, .tree, .object: UInt64(Limits.bundleRecordBytes)
            }
        }
    }
}

/// What stands before the bytes of a record.
struct BundleRecord: Sendable, Equatable {
    var kind: BundleFormat.Kind
    var codec: BlobCodec
    var storedLength: UInt32
    var contentLength: UInt32
    /// Of the stored bytes.
    var check: BlobCheck
    var key: SHA256Digest

    /// Bytes of it with its header.
    var size: UInt64 { UInt64(BundleFormat.headerBytes) + UInt64(storedLength) }

    var header: [UInt8] {
        var out: [UInt8] = [kind.rawValue, codec.rawValue, 0, 0]
        for number in [storedLength, contentLength] {
            withUnsafeBytes(of: number.littleEndian) { out += $0 }
        }
        return out + check.bytes + key.bytes
    }

    init(
        kind: BundleFormat.Kind, codec: BlobCodec, storedLength: UInt32, contentLength: UInt32,
        check: BlobCheck, key: SHA256Digest
    ) {
        self.kind = kind
        self.codec = codec
        self.storedLength = storedLength
        self.contentLength = contentLength
        self.check = check
        self.key = key
    }

    /// - Parameter header: `BundleFormat.headerBytes` bytes.
    /// - Returns: `nil` for bytes that begin no record that this version knows, or one out of bounds.
    init?(_ header: [UInt8]) {
        guard header.count == BundleFormat.headerBytes,
            let kind = BundleFormat.Kind(rawValue: header[0]), header[2] == 0, header[3] == 0,
            let check = BlobCheck(header[12..<20]), let key = SHA256Digest(header[20..<52])
        else { return nil }
        self.kind = kind
        codec = BlobCodec(rawValue: header[1])
        storedLength = UInt32(LittleEndianNumber.read(header[4..<8]))
        contentLength = UInt32(LittleEndianNumber.read(header[8..<12]))
        self.check = check
        self.key = key
        // What is smaller is stored, so nothing stored is longer than what it holds.
        // A bundle has no packs, and so no dictionaries.
        guard codec.isReadable, codec != .dictionary, storedLength > 0,
            storedLength <= contentLength,
            UInt64(contentLength) <= kind.maximumContent
        else { return nil }
    }

    /// The content of the record's bytes.
    ///
    /// - Throws: what is wrong with them.
    func content(_ stored: [UInt8]) throws -> [UInt8] {
        // As a blob of its length: chunks are short, other content may be long.
        let blob: BlobKind = UInt64(contentLength) <= BlobKind.chunk.maximumContent ? .chunk : .tree
        let location = BlobLocation(
            key: BlobKey(blob, key), pack: PackName(key), offset: 0, storedLength: storedLength,
            contentLength: contentLength, codec: codec, check: check)
        guard BlobCheck(ContentHasher.digest(stored)) == check else {
            throw LinajeError(.corrupt, "is not as it was written")
        }
        let content: [UInt8]
        do {
            content = try BlobEncoding.decode(stored, at: location)
        } catch {
            throw LinajeError(.corrupt, "cannot be decoded")
        }
        guard kind == .file || ContentHasher.digest(content) == key else {
            throw LinajeError(.corrupt, "does not match its digest")
        }
        return content
    }

    /// Encodes content as a record.
    static func encode(
        _ kind: BundleFormat.Kind, _ contents: [(key: SHA256Digest, content: [UInt8])]
    ) throws -> [(record: BundleRecord, stored: [UInt8])] {
        // Only chunks are probed for planes of numbers; only a file's key is not its record's digest.
        let blob: BlobKind =
            switch kind {
            case .chunk: .chunk
            case .file: .recipe
            case .tree, .object, .points: .tree
            }
        let blobs = try BlobEncoding.encode(
            contents.map { RawBlob(key: BlobKey(blob, $0.key), content: $0.content) })
        return blobs.map {
            (
                BundleRecord(
                    kind: kind, codec: $0.codec, storedLength: UInt32($0.stored.count),
                    contentLength: $0.contentLength, check: $0.check, key: $0.key.digest),
                $0.stored
            )
        }
    }
}

/// A file of a bundle: where its chunks stand.
///
/// ```
/// file = u64 size | u32 count | count * (u64 place of the record | u32 length of the chunk)
/// ```
struct BundleFile: Sendable, Equatable {
    /// A chunk, by the place of its record, which is before the file's.
    struct Part: Sendable, Equatable {
        var place: UInt64
        var length: UInt32
    }

    static let partBytes = 12

    var size: UInt64
    var parts: [Part]

    var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(12 + parts.count * Self.partBytes)
        withUnsafeBytes(of: size.littleEndian) { out += $0 }
        withUnsafeBytes(of: UInt32(parts.count).littleEndian) { out += $0 }
        for part in parts {
            withUnsafeBytes(of: part.place.littleEndian) { out += $0 }
            withUnsafeBytes(of: part.length.littleEndian) { out += $0 }
        }
        return out
    }

    init(size: UInt64, parts: [Part]) {
        self.size = size
        self.parts = parts
    }

    /// - Parameter place: where the record of the file is; its chunks are before it.
    /// - Returns: `nil` for bytes that are no file, or whose parts cannot be.
    init?(_ bytes: [UInt8], at place: UInt64) {
        guard bytes.count >= 12 else { return nil }
        size = LittleEndianNumber.read(bytes[0..<8])
        let count = Int(LittleEndianNumber.read(bytes[8..<12]))
        guard bytes.count == 12 + count * Self.partBytes else { return nil }
        parts = []
        parts.reserveCapacity(count)
        var sum: UInt64 = 0
        for start in stride(from: 12, to: bytes.count, by: Self.partBytes) {
            let part = Part(
                place: LittleEndianNumber.read(bytes[start..<start + 8]),
                length: UInt32(LittleEndianNumber.read(bytes[start + 8..<start + 12])))
            guard part.place >= UInt64(BundleFormat.magic.count), part.place < place,
                part.length > 0, UInt64(part.length) <= BundleFormat.Kind.chunk.maximumContent
            else { return nil }
            sum += UInt64(part.length)
            parts.append(part)
        }
        guard sum == size else { return nil }
    }
}

/// What a bundle ends with.
struct BundleTrailer: Sendable, Equatable {
    var records: UInt64
    var length: UInt64
    var digest: SHA256Digest
    /// Public key and signature; `nil`: it is not signed.
    var signature: (key: [UInt8], bytes: [UInt8])?

    static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }

    init(
        records: UInt64, length: UInt64, digest: SHA256Digest,
        signature: (key: [UInt8], bytes: [UInt8])? = nil
    ) {
        self.records = records
        self.length = length
        self.digest = digest
        self.signature = signature
    }

    var bytes: [UInt8] {
        var out: [UInt8] = []
        withUnsafeBytes(of: records.littleEndian) { out += $0 }
        withUnsafeBytes(of: length.littleEndian) { out += $0 }
        out += digest.bytes
        out.append(signature == nil ? 0 : 1)
        out += signature?.key ?? [UInt8](repeating: 0, count: 32)
        out += signature?.bytes ?? [UInt8](repeating: 0, count: 64)
        return out + BundleFormat.endMagic
    }

    /// - Returns: `nil` for bytes that end no bundle.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == BundleFormat.trailerBytes,
            bytes.suffix(8).elementsEqual(BundleFormat.endMagic),
            let digest = SHA256Digest(bytes[16..<48]), bytes[48] <= 1
        else { return nil }
        records = LittleEndianNumber.read(bytes[0..<8])
        length = LittleEndianNumber.read(bytes[8..<16])
        self.digest = digest
        if bytes[48] == 1 {
            signature = (Array(bytes[49..<81]), Array(bytes[81..<145]))
        } else {
            guard bytes[49..<145].allSatisfy({ $0 == 0 }) else { return nil }
        }
    }
}

/// Numbers as bundles have them.
enum LittleEndianNumber {
    static func read(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
