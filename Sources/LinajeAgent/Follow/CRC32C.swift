/// The cyclic redundancy check of Castagnoli's polynomial (RFC 3720, appendix B.4), reflected.
package enum CRC32C {
    /// Eight tables: eight bytes are taken in at once.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
            tables[index] = value
        }
        for index in 0..<(7 * 256) {
            let value = tables[index]
            tables[index + 256] = value >> 8 ^ tables[Int(value & 0xFF)]
        }
        return tables
    }()

    /// The check of some bytes.
    package static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { raw in tables.withUnsafeBufferPointer { of(raw, $0) } }
    }

    private static func of(
        _ bytes: UnsafeRawBufferPointer, _ tables: UnsafeBufferPointer<UInt32>
    ) -> UInt32 {
        var crc = ~UInt32(0)
        var index = 0
        while index + 8 <= bytes.count {
            let word =
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                ^ UInt64(crc)
            crc = 0
            for byte in 0..<8 {
                let value = Int(truncatingIfNeeded: word >> UInt64(8 * byte) & 0xFF)
                crc ^= tables[(7 - byte) * 256 + value]
            }
            index += 8
        }
        while index < bytes.count {
            crc = crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index])]
            index += 1
        }
        return ~crc
    }

    /// The check as TensorFlow's record files carry it: rotated and moved, so that the check of bytes
    /// that hold a check is no trivial one.
    package static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let crc = of(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}
