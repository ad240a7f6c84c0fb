package import LinajeDomain

/// What a blob of a pack is.
package enum BlobKind: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// A part of a file's content; its key is the SHA-256 of that part.
    case chunk = 1
    /// A file's list of chunks; its key is the SHA-256 of the file.
    case recipe = 2
    /// A tree's canonical text; its key is the tree digest.
    case tree = 3
    /// What blobs that stand behind it in the pack are compressed with; its key is the SHA-256 of it.
    /// It belongs to its pack, goes with it, and has no row in the index.
    case dictionary = 4

    /// The kinds that the index has.
    package static let indexed: [BlobKind] = [.chunk, .recipe, .tree]

    /// The longest content of such a blob in bytes.
    package var maximumContent: UInt64 {
        switch self {
        case .chunk: 1 << 20
        case .recipe: 512 << 20
        case .tree: (4 << 30) - 1
        case .dictionary: 256 << 10
        }
    }

    package var description: String {
        switch self {
        case .chunk: "chunk"
        case .recipe: "recipe"
        case .tree: "tree"
        case .dictionary: "dictionary"
        }
    }
}

/// How the bytes of a blob stand in a pack. A raw value, because packs of newer versions hold
/// others; this version writes and reads those that are named here.
package struct BlobCodec: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// As they are.
    package static let stored = BlobCodec(rawValue: 0)
    /// One zstd frame.
    package static let zstd = BlobCodec(rawValue: 1)

    /// Byte planes of elements of 2, 4 and 8 bytes, in one zstd frame.
    package static let planes2 = BlobCodec(rawValue: 2)
    package static let planes4 = BlobCodec(rawValue: 3)
    package static let planes8 = BlobCodec(rawValue: 4)

    /// One zstd frame that needs the dictionary that stands last before it in the pack.
    package static let dictionary = BlobCodec(rawValue: 5)

    /// The codec of planes laid out so; `nil` where there is none.
    static func planes(_ layout: PlaneLayout) -> BlobCodec? {
        switch (layout.width, layout.turnedFrom) {
        case (2, nil): planes2
        case (4, nil): planes4
        case (8, nil): planes8
        case (2, let first?) where first < 2: BlobCodec(rawValue: 6 + UInt8(first))
        case (4, let first?) where first < 4: BlobCodec(rawValue: 8 + UInt8(first))
        default: nil
        }
    }

    /// How the planes that the frame holds are laid out; `nil`: it holds the content itself.
    var planes: PlaneLayout? {
        switch rawValue {
        case 2: PlaneLayout(width: 2)
        case 3: PlaneLayout(width: 4)
        case 4: PlaneLayout(width: 8)
        case 6...7: PlaneLayout(width: 2, turnedFrom: Int(rawValue) - 6)
        case 8...11: PlaneLayout(width: 4, turnedFrom: Int(rawValue) - 8)
        default: nil
        }
    }

    /// Whether this version reads it.
    package var isReadable: Bool { rawValue <= 11 }
}

/// What names a blob.
package struct BlobKey: Sendable, Hashable, CustomStringConvertible {
    package var kind: BlobKind
    package var digest: SHA256Digest

    package init(_ kind: BlobKind, _ digest: SHA256Digest) {
        self.kind = kind
        self.digest = digest
    }

    package var description: String { "\(kind) \(digest)" }
}

/// What tells whether a blob's stored bytes are those that were written: the first 8 bytes of
/// their SHA-256.
package struct BlobCheck: Sendable, Hashable {
    package static let byteCount = 8

    /// The bytes, the first as the most significant.
    private let word: UInt64

    /// - Parameter digest: the SHA-256 of the stored bytes.
    package init(_ digest: SHA256Digest) {
        word = digest.bytes.prefix(BlobCheck.byteCount).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A check from its 8 bytes; `nil` for any other number of bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == BlobCheck.byteCount else { return nil }
        word = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The 8 bytes.
    package var bytes: [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }
}

/// A blob with its content, not encoded.
package struct RawBlob: Sendable {
    package var key: BlobKey
    package var content: [UInt8]

    package init(key: BlobKey, content: [UInt8]) {
        self.key = key
        self.content = content
    }
}

/// A blob as a pack holds it.
package struct EncodedBlob: Sendable {
    package var key: BlobKey
    package var codec: BlobCodec
    /// Bytes of the content.
    package var contentLength: UInt32
    package var stored: [UInt8]
    /// Of `stored`.
    package var check: BlobCheck
    /// What `stored` is compressed with, for codec `dictionary`.
    package var dictionary: CompressionDictionary?

    package init(
        key: BlobKey, codec: BlobCodec, contentLength: UInt32, stored: [UInt8], check: BlobCheck,
        dictionary: CompressionDictionary? = nil
    ) {
        self.key = key
        self.codec = codec
        self.contentLength = contentLength
        self.stored = stored
        self.check = check
        self.dictionary = dictionary
    }
}

/// Where a blob is.
package struct BlobLocation: Sendable, Hashable {
    package var key: BlobKey
    package var pack: PackName
    /// Bytes from the pack's start.
    package var offset: UInt64
    package var storedLength: UInt32
    package var contentLength: UInt32
    package var codec: BlobCodec
    /// Of the bytes that stand there.
    package var check: BlobCheck

    package init(
        key: BlobKey, pack: PackName, offset: UInt64, storedLength: UInt32, contentLength: UInt32,
        codec: BlobCodec, check: BlobCheck
    ) {
        self.key = key
        self.pack = pack
        self.offset = offset
        self.storedLength = storedLength
        self.contentLength = contentLength
        self.codec = codec
        self.check = check
    }
}
