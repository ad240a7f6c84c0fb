/// A SHA-256: what names chunks, files and trees.
public struct SHA256Digest: Sendable, Hashable, Comparable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// A digest from its 32 bytes; `nil` for any other number of bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        // Other modules call this unspecialised, where each step of an iterator costs a look-up of
        // types: the bytes are taken at once.
        let read = bytes.withContiguousStorageIfAvailable {
            SHA256Digest(UnsafeRawBufferPointer($0))
        }
        guard let digest = read ?? SHA256Digest(Array(bytes)) else { return nil }
        self = digest
    }

    /// A digest from its 32 bytes; `nil` for any other number of bytes.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 32 else { return nil }
        func word(_ number: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: number * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// A digest from the bytes of a message or a database.
    ///
    /// - Throws: `invalidArgument` naming `noun` unless there are exactly 32 bytes.
    public init(_ bytes: some Collection<UInt8>, noun: String) throws {
        guard let digest = SHA256Digest(bytes) else {
            throw LinajeError(
                .invalidArgument, "\(noun) has \(bytes.count) bytes; a SHA-256 has 32")
        }
        self = digest
    }

    /// A digest from 64 lower-case hex digits; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64, let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var out = [UInt8]()
        out.reserveCapacity(32)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                out.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return out
    }

    /// The first 16 bytes as two numbers, most significant byte first.
    public var leadingWords: (UInt64, UInt64) { (words.0, words.1) }

    /// 64 lower-case hex digits.
    public var description: String { Hex.encode(bytes) }

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    public static func < (left: Self, right: Self) -> Bool { left.words < right.words }
    public func hash(into hasher: inout Hasher) {
        // A SHA-256 is uniform already: one word of it is as good as all four.
        hasher.combine(words.0)
    }
}

/// Content named by any supported hash: SHA-256, or the MD5 that DVC uses.
public struct ContentDigest: Sendable, Hashable, Codable, CustomStringConvertible {
    /// "sha256" or "md5".
    public let algorithm: String
    /// The hash's raw bytes.
    public let value: [UInt8]

    /// - Throws: `invalidArgument` for an unknown algorithm or a wrong length.
    public init(algorithm: String, value: [UInt8]) throws {
        let expected =
            switch algorithm {
            case "sha256": 32
            case "md5": 16
            default:
                throw LinajeError(
                    .invalidArgument,
                    "digest algorithm \"\(algorithm.prefix(40))\" is not known; use sha256 or md5")
            }
        guard value.count == expected else {
            throw LinajeError(
                .invalidArgument,
                "digest of \(algorithm) has \(value.count) bytes; it must have \(expected)")
        }
        self.algorithm = algorithm
        self.value = value
    }

    public var description: String { "\(algorithm):\(Hex.encode(value))" }
}
