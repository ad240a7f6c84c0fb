import LinajeDomain

/// A set of blobs that never forgets one that was put in, and now and then claims one that was not:
/// a Bloom filter (Bloom, CACM 13(7), 1970) that grows by parts.
///
/// Whoever asks it what must be kept keeps a little too much, never too little. The salt makes the
/// mistakes of each filter its own, so that what one collection keeps by mistake the next one frees.
package struct BlobFilter: Sendable {
    /// Bits that are set for a blob. With 16 bits a blob a part claims one in 1,500 wrongly.
    private static let hashes = 7
    private static let bitsPerBlob = 16
    private static let smallestBits = 1 << 14

    private struct Part {
        var words: [UInt64]
        var room: Int

        init(bits: Int) {
            words = Array(repeating: 0, count: bits / 64)
            room = bits / BlobFilter.bitsPerBlob
        }
    }

    private let salt: UInt64
    private let maximumBits: Int
    private var parts: [Part] = []
    private var bits = 0
    /// How many blobs were put in; one that was put in again may count again.
    package private(set) var count = 0

    /// - Parameters:
    ///   - expected: how many blobs will come, as far as is known: their room is taken at once.
    ///   - maximumBytes: what the filter may take; with more blobs than that has room for it claims
    ///     more of them wrongly.
    package init(
        expecting expected: Int = 0, maximumBytes: Int, salt: UInt64 = .random(in: .min ... .max)
    ) {
        self.salt = salt
        maximumBits = max(Self.smallestBits, Self.power(atMost: maximumBytes * 8))
        guard expected > 0 else { return }
        var size = Self.smallestBits
        while size < maximumBits, size / Self.bitsPerBlob < expected { size *= 2 }
        grow(to: size)
    }

    package var isEmpty: Bool { count == 0 }
    /// What the filter takes.
    package var bytes: Int { bits / 8 }

    package mutating func insert(_ key: BlobKey) {
        if parts.last.map({ $0.room <= 0 }) ?? true {
            let next = max(Self.smallestBits, (parts.last?.words.count ?? 0) * 128)
            if parts.isEmpty || bits + next <= maximumBits { grow(to: next) }
        }
        let last = parts.count - 1
        let (first, step) = places(key)
        let mask = UInt64(parts[last].words.count * 64 - 1)
        for number in 0..<Self.hashes {
            let bit = (first &+ UInt64(number) &* step) & mask
            parts[last].words[Int(bit >> 6)] |= 1 << (bit & 63)
        }
        parts[last].room -= 1
        count += 1
    }

    /// Whether it was put in; now and then also `true` for one that was not.
    package func contains(_ key: BlobKey) -> Bool {
        let (first, step) = places(key)
        return parts.contains { part in
            let mask = UInt64(part.words.count * 64 - 1)
            return (0..<Self.hashes).allSatisfy { number in
                let bit = (first &+ UInt64(number) &* step) & mask
                return part.words[Int(bit >> 6)] & (1 << (bit & 63)) != 0
            }
        }
    }

    private mutating func grow(to size: Int) {
        parts.append(Part(bits: size))
        bits += size
    }

    /// Where a blob's bits are: the first place, and the odd step to the next.
    private func places(_ key: BlobKey) -> (UInt64, UInt64) {
        let (high, low) = key.digest.leadingWords
        let first = Self.mixed(high ^ salt ^ UInt64(key.kind.rawValue) << 56)
        return (first, Self.mixed(low &+ salt) | 1)
    }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    private static func mixed(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private static func power(atMost value: Int) -> Int {
        value < 1 ? 1 : 1 << (Int.bitWidth - 1 - value.leadingZeroBitCount)
    }
}
