import ArgumentParser
import Glibc

/// What the files of `linaje bench artifacts` hold: the same bytes for the same seed.
enum BenchContent: String, CaseIterable, Sendable, ExpressibleByArgument {
    /// Bytes without any pattern: archives, images, encrypted files.
    case random
    /// Weights as they are stored most: Gaussian, standard deviation 0.02.
    case float32
    /// The same, cut to the upper half of each number (bfloat16).
    case bf16
    /// Words of a made-up language, in sentences, each word followed by one of a few.
    case text
    /// Half of the mebibytes repeat an earlier one of the same file.
    case duplicates
    /// Many files of 1 to 8 KiB of text.
    case small

    /// How many files the content is made of when `files` large ones are asked for.
    func fileCount(_ files: Int) -> Int { self == .small ? files * 100 : files }

    /// Bytes of file `index`, when large ones have `size`.
    func fileSize(_ index: Int, seed: UInt64, size: Int) -> Int {
        guard self == .small else { return size }
        var random = SplitMix(seed &+ UInt64(index) &* 7_919)
        return 1_024 + Int(random.next() % 7_169)
    }

    /// Calls `write` with all bytes of file `index`, in pieces.
    func generate(
        _ index: Int, seed: UInt64, size: Int, _ write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var source = Source(kind: self, seed: seed &* 1_000_003 &+ UInt64(index) &* 7_919)
        var left = fileSize(index, seed: seed, size: size)
        while left > 0 {
            let piece = source.piece(min(left, Source.pieceBytes))
            try piece.withUnsafeBytes(write)
            left -= piece.count
        }
    }

    /// The pieces of one file.
    private struct Source {
        static let pieceBytes = 1 << 20

        let kind: BenchContent
        private let seed: UInt64
        private var random: SplitMix
        private var count: UInt64 = 0
        private var words: WordChain

        init(kind: BenchContent, seed: UInt64) {
            self.kind = kind
            self.seed = seed
            random = SplitMix(seed)
            words = WordChain(seed)
        }

        mutating func piece(_ size: Int) -> [UInt8] {
            defer { count += 1 }
            switch kind {
            case .random: return bytes(size, &random)
            case .float32: return weights(size) { $0.bitPattern }
            case .bf16: return weights(size) { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
            case .text, .small: return words.text(size, &random)
            case .duplicates:
                // Each one comes twice.
                var block = SplitMix(seed &+ count / 2)
                return bytes(size, &block)
            }
        }

        private func bytes(_ size: Int, _ random: inout SplitMix) -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
                var index = 0
                while index < size {
                    var word = random.next()
                    for _ in 0..<min(8, size - index) {
                        buffer[index] = UInt8(truncatingIfNeeded: word)
                        word >>= 8
                        index += 1
                    }
                }
                filled = size
            }
        }

        private mutating func weights<Word: FixedWidthInteger>(
            _ size: Int, _ word: (Float) -> Word
        ) -> [UInt8] {
            var out: [UInt8] = []
            out.reserveCapacity(size + 8)
            while out.count < size {
                // Box and Muller: two uniform numbers become two Gaussian ones.
                let radius = (-2 * log(random.unit())).squareRoot() * 0.02
                let angle = 2 * Double.pi * random.unit()
                for value in [Float(radius * cos(angle)), Float(radius * sin(angle))] {
                    withUnsafeBytes(of: word(value).littleEndian) { out.append(contentsOf: $0) }
                }
            }
            out.removeLast(out.count - size)
            return out
        }
    }

    /// A made-up language: which words there are and which may follow each.
    private struct WordChain {
        private static let wordCount = 2_048
        private static let successors = 12
        private static let syllables = [
            "ba", "con", "de", "en", "for", "gra", "in", "la", "mo", "na", "or", "per", "re", "sta",
            "ti", "un",
        ]

        private var words: [[UInt8]] = []
        private var next: [Int] = []
        private var current = 0
        private var sinceStop = 0

        init(_ seed: UInt64) {
            var random = SplitMix(seed ^ 0x7465_7874)
            for _ in 0..<Self.wordCount {
                var word = ""
                for _ in 0...Int(random.next() % 3) {
                    word += Self.syllables[Int(random.next() % UInt64(Self.syllables.count))]
                }
                words.append(Array(word.utf8))
            }
            next = (0..<Self.wordCount * Self.successors).map { _ in
                Int(random.next() % UInt64(Self.wordCount))
            }
        }

        mutating func text(_ size: Int, _ random: inout SplitMix) -> [UInt8] {
            var out: [UInt8] = []
            out.reserveCapacity(size + 32)
            while out.count < size {
                out += words[current]
                sinceStop += 1
                let choice = random.next()
                // The first of the words that may follow are the likely ones.
                let place = Int(min(choice % 12, choice / 12 % 12))
                current = next[current * Self.successors + place]
                if sinceStop > 4, choice >> 60 == 0 {
                    out += Array(". ".utf8)
                    sinceStop = 0
                } else {
                    out.append(UInt8(ascii: " "))
                }
            }
            out.removeLast(out.count - size)
            return out
        }
    }
}

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number above 0 and at most 1.
    mutating func unit() -> Double { (Double(next() >> 11) + 1) * 0x1p-53 }
}
