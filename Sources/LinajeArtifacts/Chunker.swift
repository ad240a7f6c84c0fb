import LinajeDomain

/// Cuts a stream of bytes where its content says so, so that an insertion moves few cuts.
///
/// The rule is that of `proto-spec/STORAGE.md`, "Files and chunks": a gear hash
/// `h = (h << 1) + GEAR[byte]` begins at 0 with the first byte after `minimum`; a chunk ends after
/// the byte at which the top 18 bits of `h` (from position `normal` on, the top 14) are zero, and
/// at `maximum` in any case. After Xia et al., "FastCDC", USENIX ATC 2016.
///
/// A value: a copy goes on from the same place. How the stream is split over calls of `cut` makes
/// no difference.
package struct Chunker: Sendable {
    /// A chunk that is not a file's last is longer than this many bytes.
    package static let minimum = 16 << 10
    /// The position in a chunk from which on the cut is easier.
    package static let normal = 64 << 10
    /// No chunk is longer than this many bytes.
    package static let maximum = 256 << 10

    private static let strictMask: UInt64 = ~0 << (64 - 18)
    private static let easyMask: UInt64 = ~0 << (64 - 14)

    /// GEAR[b]: the first 8 bytes, big-endian, of SHA-256("linaje gear 1\n", b).
    package static let gear: [UInt64] = (0...255).map { byte in
        let digest = ContentHasher.digest(Array("linaje gear 1\n".utf8) + [UInt8(byte)])
        return digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Bytes of the current chunk seen so far.
    private var length = 0
    private var hash: UInt64 = 0

    package init() {}

    /// Looks for the end of the current chunk in the next bytes of the stream.
    ///
    /// - Returns: how many of `bytes` belong to the chunk, when it ends among them; the next call
    ///   then begins with the byte after. `nil` when all of them belong to a chunk that goes on.
    package mutating func cut(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let count = bytes.count
        var position = 0
        if length < Chunker.minimum {
            position = min(Chunker.minimum - length, count)
            length += position
        }
        guard position < count else { return nil }

        let found = Chunker.gear.withUnsafeBufferPointer { gear -> Bool in
            guard let table = gear.baseAddress else { return false }
            if length < Chunker.normal {
                let end = min(count, position + (Chunker.normal - length))
                if scan(base, table, &position, end, Chunker.strictMask) { return true }
            }
            guard position < count else { return false }
            let end = min(count, position + (Chunker.maximum - length))
            return scan(base, table, &position, end, Chunker.easyMask)
        }
        guard found || length == Chunker.maximum else { return nil }
        length = 0
        hash = 0
        return position
    }

    /// Rolls the hash from `position` up to `end`; true when it stopped after a byte that cuts.
    @inline(__always)
    private mutating func scan(
        _ base: UnsafeRawPointer, _ table: UnsafePointer<UInt64>, _ position: inout Int,
        _ end: Int, _ mask: UInt64
    ) -> Bool {
        // Locals, because the compiler keeps them in registers and the members not.
        var rolling = hash
        var index = position
        var found = false
        while index < end {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            rolling = (rolling &<< 1) &+ table[Int(truncatingIfNeeded: byte)]
            index &+= 1
            if rolling & mask == 0 {
                found = true
                break
            }
        }
        length += index - position
        hash = rolling
        position = index
        return found
    }
}
