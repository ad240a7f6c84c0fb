import Crypto
import LinajeDomain

extension MetricSegment {
    /// What an encoded segment begins with: name, version, a byte of zero.
    static let header: [UInt8] = [0x4c, 0x4e, 0x4a, 0x53, 1, 0]

    /// The segment's bytes, in their one canonical form: narrowest columns, bases that are the
    /// lowest value.
    ///
    /// The segment has at least one point and keeps its bounds; series of it are texts that
    /// `MetricBatch` has accepted.
    func encoded(steps: ColumnBounds, times: ColumnBounds) -> [UInt8] {
        precondition(count > 0 && count <= Self.maximumPoints && series.count > 0)
        precondition(series.count == 1 || seriesIndex.count == count)
        let valueWidth = Self.fitInFloats(columns.values) ? 4 : 8
        let indexWidth = series.count == 1 ? 0 : series.count <= 256 ? 1 : 2
        let bytesPerPoint = indexWidth + steps.width + times.width + valueWidth
        var size = Self.header.count + 6 + 2 * 9 + 1 + count * bytesPerPoint + 8
        for one in series { size += one.encodedSize }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, used in
            var output = SegmentWriter(UnsafeMutableRawBufferPointer(buffer))
            output.append(Self.header)
            output.append(UInt16(truncatingIfNeeded: series.count))
            output.append(UInt32(truncatingIfNeeded: count))
            for one in series { one.encode(to: &output) }
            switch indexWidth {
            case 0: break
            case 1: output.append(seriesIndex, as: UInt8.self)
            default: output.append(seriesIndex, as: UInt16.self)
            }
            output.append(columns.steps, bounds: steps)
            output.append(columns.times, bounds: times)
            output.append(columns.values, width: valueWidth)
            output.appendCheck()
            used = output.offset
        }
    }

    /// The segment's bytes.
    package func encoded() -> [UInt8] {
        encoded(steps: ColumnBounds(columns.steps), times: ColumnBounds(columns.times))
    }

    /// Whether every value survives the way through 32 bits, bit for bit.
    private static func fitInFloats(_ values: [Double]) -> Bool {
        values.withUnsafeBufferPointer { buffer in
            buffer.allSatisfy { Double(Float($0)).bitPattern == $0.bitPattern }
        }
    }
}

extension MetricSeries {
    /// Bytes of the series in a segment.
    var encodedSize: Int {
        7 + key.utf8.count + (modelID == nil ? 0 : 16) + datasetName.utf8.count
            + datasetDigest.utf8.count
    }

    func encode(to output: inout SegmentWriter) {
        output.append(text: key)
        if let modelID {
            output.append(UInt8(16))
            output.append(modelID.bytes.high.bigEndian)
            output.append(modelID.bytes.low.bigEndian)
        } else {
            output.append(UInt8(0))
        }
        output.append(text: datasetName)
        output.append(text: datasetDigest)
    }

    /// The series alone, as the key of its summary.
    var encoded: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: encodedSize) { buffer, used in
            var output = SegmentWriter(UnsafeMutableRawBufferPointer(buffer))
            encode(to: &output)
            used = output.offset
        }
    }
}

/// Writes a segment into memory of exactly its size; going past the end is a programmer's error.
struct SegmentWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var offset = 0

    init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { take($0.count).copyMemory(from: $0) }
    }

    /// A number in the order of bytes that it has in memory, which is little-endian.
    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        take(MemoryLayout<Number>.size).storeBytes(of: number.littleEndian, as: Number.self)
    }

    mutating func append(text: String) {
        append(UInt16(truncatingIfNeeded: text.utf8.count))
        let place = take(text.utf8.count)
        var text = text
        text.withUTF8 { place.copyMemory(from: UnsafeRawBufferPointer($0)) }
    }

    mutating func append<Number: FixedWidthInteger>(_ index: [UInt16], as: Number.Type) {
        let place = take(index.count * MemoryLayout<Number>.size)
        index.withUnsafeBufferPointer { index in
            for (point, value) in index.enumerated() {
                place.storeBytes(
                    of: Number(truncatingIfNeeded: value).littleEndian,
                    toByteOffset: point * MemoryLayout<Number>.size, as: Number.self)
            }
        }
    }

    mutating func append(_ values: [Int64], bounds: ColumnBounds) {
        append(UInt8(bounds.width))
        append(bounds.low)
        switch bounds.width {
        case 0: break
        case 1: append(values, base: bounds.low, as: UInt8.self)
        case 2: append(values, base: bounds.low, as: UInt16.self)
        case 4: append(values, base: bounds.low, as: UInt32.self)
        default: append(values, base: bounds.low, as: UInt64.self)
        }
    }

    mutating func append(_ values: [Double], width: Int) {
        append(UInt8(width))
        let place = take(values.count * width)
        values.withUnsafeBufferPointer { values in
            if width == 8 {
                place.copyMemory(from: UnsafeRawBufferPointer(values))
            } else {
                for (point, value) in values.enumerated() {
                    place.storeBytes(
                        of: Float(value).bitPattern.littleEndian, toByteOffset: point * 4,
                        as: UInt32.self)
                }
            }
        }
    }

    /// The first 8 bytes of the SHA-256 of everything before.
    mutating func appendCheck() {
        let digest = SHA256.hash(data: UnsafeRawBufferPointer(rebasing: buffer[..<offset]))
        let place = take(8)
        digest.withUnsafeBytes {
            place.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<8]))
        }
    }

    private mutating func append<Number: FixedWidthInteger & UnsignedInteger>(
        _ values: [Int64], base: Int64, as: Number.Type
    ) {
        let place = take(values.count * MemoryLayout<Number>.size)
        values.withUnsafeBufferPointer { values in
            for (point, value) in values.enumerated() {
                place.storeBytes(
                    of: Number(truncatingIfNeeded: value &- base).littleEndian,
                    toByteOffset: point * MemoryLayout<Number>.size, as: Number.self)
            }
        }
    }

    private mutating func take(_ size: Int) -> UnsafeMutableRawBufferPointer {
        precondition(size <= buffer.count - offset, "segment is larger than planned")
        defer { offset += size }
        return UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + size])
    }
}
