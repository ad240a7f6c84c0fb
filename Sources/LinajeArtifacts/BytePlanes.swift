/// Byte planes of elements of 2, 4 or 8 bytes (`proto-spec/STORAGE.md`, "Packs"): the first bytes
/// of all elements, then all second bytes, and so on; at the end what is left over of the content.
///
/// Bytes of one place are alike: signs and exponents here, noise there. So each plane compresses as
/// well as it can, while a compressor that sees them mixed finds neither (after "byte shuffle" of
/// Blosc, and ZipNN, arXiv:2411.05239).
enum BytePlanes {
    /// The content in planes.
    static func split(_ content: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
        let count = content.count / width
        return [UInt8](unsafeUninitializedCapacity: content.count) { planes, filled in
            guard let source = content.baseAddress else { return }
            switch width {
            case 2: split(source, UInt16.self, count, into: planes)
            case 4: split(source, UInt32.self, count, into: planes)
            default: split(source, UInt64.self, count, into: planes)
            }
            for place in count * width..<content.count { planes[place] = content[place] }
            filled = content.count
        }
    }

    /// The content that is in the planes.
    static func join(_ planes: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
        let count = planes.count / width
        return [UInt8](unsafeUninitializedCapacity: planes.count) { content, filled in
            guard let target = content.baseAddress else { return }
            let raw = UnsafeMutableRawPointer(target)
            switch width {
            case 2: join(planes, UInt16.self, count, into: raw)
            case 4: join(planes, UInt32.self, count, into: raw)
            default: join(planes, UInt64.self, count, into: raw)
            }
            for place in count * width..<planes.count { content[place] = planes[place] }
            filled = planes.count
        }
    }

    @inline(__always)
    private static func split<Word: FixedWidthInteger>(
        _ source: UnsafeRawPointer, _: Word.Type, _ count: Int,
        into planes: UnsafeMutableBufferPointer<UInt8>
    ) {
        let width = MemoryLayout<Word>.size
        for index in 0..<count {
            let word = Word(
                littleEndian: source.loadUnaligned(
                    fromByteOffset: index &* width, as: Word.self))
            for plane in 0..<width {
                planes[plane &* count &+ index] = UInt8(
                    truncatingIfNeeded: word &>> Word(truncatingIfNeeded: plane &* 8))
            }
        }
    }

    @inline(__always)
    private static func join<Word: FixedWidthInteger>(
        _ planes: UnsafeRawBufferPointer, _: Word.Type, _ count: Int,
        into target: UnsafeMutableRawPointer
    ) {
        let width = MemoryLayout<Word>.size
        for index in 0..<count {
            var word: Word = 0
            for plane in 0..<width {
                word |=
                    Word(truncatingIfNeeded: planes[plane &* count &+ index])
                    &<< Word(truncatingIfNeeded: plane &* 8)
            }
            target.storeBytes(
                of: word.littleEndian, toByteOffset: index &* width, as: Word.self)
        }
    }
}
