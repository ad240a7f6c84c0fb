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
    private let context: OpaquePointer?
    private var plane: [UInt8] = []

    init() { context = ZSTD_createDCtx() }

    deinit { ZSTD_freeDCtx(context) }

    /// Reads planes into numbers, which are as many as `numbers` has places.
    ///
    /// - Throws: `StoredFlaw` for anything that is no plane of exactly this length.
    func read(
        width: Int, from input: inout ByteReader, into numbers: UnsafeMutableBufferPointer<UInt64>
    ) throws {
        numbers.initialize(repeating: 0)
        for place in 0..<width {
            let shift = UInt64(place * 8)
            switch PlaneWriter.Form(rawValue: try input.number(UInt8.self)) {
            case .plain:
                Self.add(try input.take(numbers.count), shift, to: numbers)
            case .repeated:
                let byte = UInt64(try input.number(UInt8.self)) << shift
                for index in numbers.indices { numbers[index] |= byte }
            case .zstd:
                let size = try input.varint()
                guard size <= UInt64(numbers.count) else {
                    throw StoredFlaw("has a plane longer than its points")
                }
                try expand(try input.take(Int(size)), count: numbers.count)
                plane.withUnsafeBytes { Self.add($0, shift, to: numbers) }
            case nil: throw StoredFlaw("has a plane of an unknown form")
            }
        }
    }

    private func expand(_ frame: UnsafeRawBufferPointer, count: Int) throws {
        if plane.count != count { plane = [UInt8](repeating: 0, count: count) }
        let result = plane.withUnsafeMutableBytes {
            // One frame and nothing behind it: what follows would be another frame to zstd.
            ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count
                ? ZSTD_decompressDCtx(
                    context, $0.baseAddress, $0.count, frame.baseAddress, frame.count) : 0
        }
        guard ZSTD_isError(result) == 0, result == count else {
            throw StoredFlaw("has a plane that does not expand to its points")
        }
    }

    private static func add(
        _ plane: UnsafeRawBufferPointer, _ shift: UInt64,
        to numbers: UnsafeMutableBufferPointer<UInt64>
    ) {
        for index in numbers.indices { numbers[index] |= UInt64(plane[index]) << shift }
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
