import FoundationEssentials
import LinajeDomain

/// Rows of numbers as they travel (`plugin.proto`, ScoreRequest): IEEE 754 doubles, little-endian,
/// one after the other.
enum RowBytes {
    /// Bytes of one value.
    static let valueBytes = 8
    /// Most bytes of rows in one request, which has a header besides.
    static let requestBytes = Limits.requestBytes - 64
    /// Most bytes of values in one answer, likewise.
    static let answerBytes = Limits.frameBytes - 64

    static func encode(_ values: ArraySlice<Double>) -> Data {
        guard !values.isEmpty else { return Data() }
        let swapped = UInt64(littleEndian: 1) == 1 ? values : values.map(Self.swapped)[...]
        return swapped.withUnsafeBytes { Data($0) }
    }

    /// - Throws: `badMessage` when the bytes end inside a value.
    static func decode(_ bytes: Data) throws -> [Double] {
        guard bytes.count.isMultiple(of: valueBytes) else {
            throw LinajeError(
                .badMessage, "\(bytes.count) bytes are no rows of doubles of \(valueBytes) bytes")
        }
        let count = bytes.count / valueBytes
        let values = [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
            bytes.copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
        return UInt64(littleEndian: 1) == 1 ? values : values.map(Self.swapped)
    }

    private static func swapped(_ value: Double) -> Double {
        Double(bitPattern: value.bitPattern.byteSwapped)
    }
}
