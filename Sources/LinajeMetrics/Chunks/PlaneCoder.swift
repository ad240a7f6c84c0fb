import CZstd

/// Writes byte planes: the first bytes of all numbers, then all second bytes, and so on.
///
/// The bytes of a plane are alike (exponents here, noise there), which is what makes each compress
/// as well as it can. A plane is written as the one byte that it repeats, as a zstd frame, or as it
/// is, whichever is shortest (STORAGE.md "Metric chunks"). For one thread.
final class PlaneWriter {
    /// How a plane is stored.
    enum Form: UInt8 {
        case plain = 0
        case zstd = 1
        case repeated = 2
    }

    private let context: OpaquePointer?
    private var plane: [UInt8] = []
    private static let level: Int32 = 1

    init() { context = ZSTD_createCCtx() }

    deinit { ZSTD_freeCCtx(context) }

    /// Appends the `width` low bytes of all numbers, lowest first.
    func write(_ numbers: [UInt64], width: Int, to output: inout [UInt8]) {
        for place in 0..<width {
            let shift = UInt64(place * 8)
            plane.removeAll(keepingCapacity: true)
            plane.reserveCapacity(numbers.count)
            for number in numbers { plane.append(UInt8(truncatingIfNeeded: number >> shift)) }
            write(plane, to: &output)
        }
    }

    private func write(_ plane: [UInt8], to output: inout [UInt8]) {
        if let first = plane.first, plane.allSatisfy({ $0 == first }) {
            output += [Form.repeated.rawValue, first]
        } else if let frame = compressed(plane) {
            output.append(Form.zstd.rawValue)
            output.append(varint: UInt64(frame.count))
            output += frame
        } else {
            output.append(Form.plain.rawValue)
            output += plane
        }
    }

    /// The zstd frame, or `nil` when it would not be shorter.
    private func compressed(_ plane: [UInt8]) -> [UInt8]? {
        // Fewer bytes than this never make up for the frame around them.
        guard plane.count >= 32, let context else { return nil }
        let room = plane.count - 4
        let frame = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let result = plane.withUnsafeBytes {
                ZSTD_compressCCtx(
                    context, buffer.baseAddress, room, $0.baseAddress, $0.count, Self.level)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        return frame.isEmpty ? nil : frame
    }
}

/// Reads what `PlaneWriter` wrote. For one thread.
final class PlaneReader {
    private typealias Plane = (bytes: UnsafePointer<UInt8>, shift: UInt64)

    private let context: OpaquePointer?
    /// Room for the planes that come as frames, one after the other.
    private var expanded: [UInt8] = []

    init() { context = ZSTD_createDCtx() }

    deinit { ZSTD_freeDCtx(context) }

    /// Reads planes into numbers, which are as many as `numbers` has places.
    ///
    /// - Throws: `StoredFlaw` for anything that is no plane of exactly this length.
    func read(
        width: Int, from input: inout ByteReader, into numbers: UnsafeMutableBufferPointer<UInt64>
    ) throws {
        let count = numbers.count
        if expanded.count < width * count { expanded = [UInt8](repeating: 0, count: width * count) }
        try expanded.withUnsafeMutableBytes { room in
            // What all numbers have, and the planes in which they differ.
            var common: UInt64 = 0
            var planes: [Plane] = []
            for place in 0..<width {
                let shift = UInt64(place * 8)
                switch PlaneWriter.Form(rawValue: try input.number(UInt8.self)) {
                case .plain:
                    Self.add(try input.take(count), shift, to: &planes)
                case .repeated: common |= UInt64(try input.number(UInt8.self)) << shift
                case .zstd:
                    let size = try input.varint()
                    guard size <= UInt64(count) else {
                        throw StoredFlaw("has a plane longer than its points")
                    }
                    let plane = UnsafeMutableRawBufferPointer(
                        rebasing: room[place * count..<(place + 1) * count])
                    try expand(try input.take(Int(size)), into: plane)
                    Self.add(UnsafeRawBufferPointer(plane), shift, to: &planes)
                case nil: throw StoredFlaw("has a plane of an unknown form")
                }
            }
            Self.join(planes, common, into: numbers)
        }
    }

    private func expand(
        _ frame: UnsafeRawBufferPointer, into plane: UnsafeMutableRawBufferPointer
    ) throws {
        // One frame and nothing behind it: what follows would be another frame to zstd.
        let result =
            ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count
            ? ZSTD_decompressDCtx(
                context, plane.baseAddress, plane.count, frame.baseAddress, frame.count) : 0
        guard ZSTD_isError(result) == 0, result == plane.count else {
            throw StoredFlaw("has a plane that does not expand to its points")
        }
    }

    private static func add(
        _ bytes: UnsafeRawBufferPointer, _ shift: UInt64, to planes: inout [Plane]
    ) {
        guard let start = bytes.baseAddress else { return }
        planes.append((start.assumingMemoryBound(to: UInt8.self), shift))
    }

    /// Puts the planes together, up to three in one pass: numbers are written once as a rule.
    private static func join(
        _ planes: [Plane], _ common: UInt64, into numbers: UnsafeMutableBufferPointer<UInt64>
    ) {
        switch planes.count {
        case 0: numbers.initialize(repeating: common)
        case 1:
            let (low, shift) = planes[0]
            for index in numbers.indices {
                numbers[index] = common | UInt64(low[index]) &<< shift
            }
        case 2:
            let ((low, first), (high, second)) = (planes[0], planes[1])
            for index in numbers.indices {
                numbers[index] =
                    common | UInt64(low[index]) &<< first | UInt64(high[index]) &<< second
            }
        default:
            let ((low, first), (middle, second), (high, third)) = (
                planes[0], planes[1], planes[2]
            )
            for index in numbers.indices {
                numbers[index] =
                    common | UInt64(low[index]) &<< first | UInt64(middle[index]) &<< second
                    | UInt64(high[index]) &<< third
            }
            for (plane, shift) in planes.dropFirst(3) {
                for index in numbers.indices { numbers[index] |= UInt64(plane[index]) &<< shift }
            }
        }
    }
}

extension [UInt8] {
    /// Appends a number in groups of seven bits, lowest first (LEB128).
    mutating func append(varint number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a signed number so that those near zero are short: 0, -1, 1, -2, …
    mutating func append(zigzag number: Int64) {
        append(varint: UInt64(bitPattern: (number << 1) ^ (number >> 63)))
    }
}

extension ByteReader {
    /// A number as `append(varint:)` writes it.
    mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try number(UInt8.self)
            guard shift < 63 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw StoredFlaw("has a number that is too long")
    }

    /// A number as `append(zigzag:)` writes it.
    mutating func zigzag() throws -> Int64 {
        let value = try varint()
        return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
    }
}
