import LinajeDomain

/// Pieces of the binary form of messages, for what is encoded without a message in memory.
enum ProtobufBytes {
    /// Appends a number as a varint.
    static func append(varint value: UInt64, to out: inout [UInt8]) {
        var rest = value
        while rest > 0x7F {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Bytes of a number as a varint.
    static func size(varint value: UInt64) -> Int {
        max(1, (70 - value.leadingZeroBitCount) / 7)
    }

    /// Appends a number in eight bytes.
    static func append(fixed value: UInt64, to out: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
    }

    /// Appends a field of bytes or text, its tag and length included.
    static func append(
        _ tag: UInt8, _ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) {
        out.append(tag)
        append(varint: UInt64(bytes.count), to: &out)
        out.append(contentsOf: bytes)
    }

    /// The text in a field of a message whose last value counts; empty when there is none.
    ///
    /// The other fields are stepped over, not read: of a page of a list it takes microseconds.
    static func text(field wanted: UInt64, in bytes: [UInt8]) -> String {
        var rest = bytes[...]
        var found = rest.prefix(0)
        while let tag = takeVarint(&rest) {
            let length: UInt64?
            switch tag & 7 {
            case 0: length = takeVarint(&rest).map { _ in 0 }
            case 1: length = 8
            case 2: length = takeVarint(&rest)
            case 5: length = 4
            default: length = nil
            }
            guard let length, length <= UInt64(rest.count) else { break }
            let content = rest.prefix(Int(length))
            rest = rest.dropFirst(content.count)
            if tag >> 3 == wanted, tag & 7 == 2 { found = content }
        }
        return String(decoding: found, as: UTF8.self)
    }

    private static func takeVarint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
