/// How content is laid out in byte planes.
struct PlaneLayout: Sendable, Hashable {
    /// Bytes of an element, 2, 4 or 8.
    var width: Int
    /// Where the first element begins, when elements are turned left by one bit: below `width`.
    /// Floating-point numbers have their sign before the exponent, which then straddles two bytes; turned, the
    /// exponent of bf16 and float32 is a byte of its own (ZipNN, arXiv:2411.05239). `nil`: they are not turned, and
    /// the first begins at 0.
    var turnedFrom: Int?
}

/// Byte planes of elements of 2, 4 or 8 bytes (`proto-spec/STORAGE.md`, "Packs"): the first bytes
/// of all elements, then all second bytes, and so on; at the end what is left over of the content.
///
/// Bytes of one place are alike: signs and exponents here, noise there. So each plane compresses as
/// well as it can, while a compressor that sees them mixed finds neither (after "byte shuffle" of
/// Blosc, and ZipNN, arXiv:2411.05239).
enum BytePlanes {
    /// The content in planes.
    static func split(_ content: UnsafeRawBufferPointer, _ layout: PlaneLayout) -> [UInt8] {
        let (first, turn) = (layout.turnedFrom ?? 0, layout.turnedFrom == nil ? 0 : 1)
        let count = max(0, content.count - first) / layout.width
        return [UInt8](unsafeUninitializedCapacity: content.count) { planes, filled in
            guard let base = content.baseAddress else { return }
            let source = base + min(first, content.count)
            switch layout.width {
            case 2: split(source, UInt16.self, count, turn, into: planes)
            case 4: split(source, UInt32.self, count, turn, into: planes)
            default: split(source, UInt64.self, count, turn, into: planes)
            }
            var place = count * layout.width
            for index in leftOver(content.count, first: first, count * layout.width) {
                planes[place] = content[index]
                place += 1
            }
            filled = content.count
        }
    }

    /// The content that is in the planes.
    static func join(_ planes: UnsafeRawBufferPointer, _ layout: PlaneLayout) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: planes.count) { content, filled in
            join(planes, layout, into: UnsafeMutableRawBufferPointer(content))
            filled = planes.count
        }
    }

    /// Writes the content that is in the planes to `content`, which has room for it.
    static func join(
        _ planes: UnsafeRawBufferPointer, _ layout: PlaneLayout,
        into content: UnsafeMutableRawBufferPointer
    ) {
        precondition(content.count >= planes.count, "no room for what the planes hold")
        guard let base = content.baseAddress else { return }
        let (first, turn) = (layout.turnedFrom ?? 0, layout.turnedFrom == nil ? 0 : 1)
        let count = max(0, planes.count - first) / layout.width
        let target = base + min(first, planes.count)
        switch layout.width {
        case 2: join(planes, UInt16.self, count, turn, into: target)
        case 4: join(planes, UInt32.self, count, turn, into: target)
        default: join(planes, UInt64.self, count, turn, into: target)
        }
        var place = count * layout.width
        for index in leftOver(planes.count, first: first, count * layout.width) {
            content[index] = planes[place]
            place += 1
        }
    }

    /// The bytes before the first element, and those after the last one.
    private static func leftOver(_ count: Int, first: Int, _ inside: Int) -> [Int] {
        let first = min(first, count)
        return Array(0..<first) + Array(first + inside..<count)
    }

    @inline(__always)
    private static func split<Word: FixedWidthInteger>(
        _ source: UnsafeRawPointer, _: Word.Type, _ count: Int, _ turn: Int,
        into planes: UnsafeMutableBufferPointer<UInt8>
    ) {
        let width = MemoryLayout<Word>.size
        // Shifts are modulo the width of a word: a turn by 0 leaves it as it is.
        let (left, right) = (Word(truncatingIfNeeded: turn), Word(truncatingIfNeeded: -turn))
        for index in 0..<count {
            var word = Word(
                littleEndian: source.loadUnaligned(
                    fromByteOffset: index &* width, as: Word.self))
            word = word &<< left | word &>> right
            for plane in 0..<width {
                planes[plane &* count &+ index] = UInt8(
                    truncatingIfNeeded: word &>> Word(truncatingIfNeeded: plane &* 8))
            }
        }
    }

    @inline(__always)
    private static func join<Word: FixedWidthInteger>(
        _ planes: UnsafeRawBufferPointer, _: Word.Type, _ count: Int, _ turn: Int,
        into target: UnsafeMutableRawPointer
    ) {
        let width = MemoryLayout<Word>.size
        // Shifts are modulo the width of a word: a turn by 0 leaves it as it is.
        let (left, right) = (Word(truncatingIfNeeded: turn), Word(truncatingIfNeeded: -turn))
        for index in 0..<count {
            var word: Word = 0
            for plane in 0..<width {
                word |=
                    Word(truncatingIfNeeded: planes[plane &* count &+ index])
                    &<< Word(truncatingIfNeeded: plane &* 8)
            }
            word = word &>> left | word &<< right
            target.storeBytes(
                of: word.littleEndian, toByteOffset: index &* width, as: Word.self)
        }
    }
}
