/// How a column of whole numbers is packed in a chunk (STORAGE.md "Metric chunks").
///
/// What is stored is either the numbers or the differences of neighbours, each less the smallest of
/// them and divided by what all have in common, in as many byte planes as the largest needs. So
/// steps that count up cost nothing, times at whole milliseconds what varies in their distances.
/// All arithmetic wraps around: any 64 bits come back as they were.
enum IntegerColumn {
    enum Form: UInt8 {
        case offsets = 0
        case differences = 1
    }

    /// Numbers that are tried to find the better form.
    private static let sample = 1_024

    /// Appends the column in the form that is shorter for its beginning.
    static func write(_ values: [Int64], with planes: PlaneWriter, to output: inout [UInt8]) {
        guard values.count > 1 else {
            write(values, .offsets, with: planes, to: &output)
            return
        }
        let start = Array(values.prefix(sample))
        var sizes: [Int] = []
        for form in [Form.offsets, .differences] {
            var trial: [UInt8] = []
            write(start, form, with: planes, to: &trial)
            sizes.append(trial.count)
        }
        write(values, sizes[1] < sizes[0] ? .differences : .offsets, with: planes, to: &output)
    }

    /// Reads `count` numbers.
    ///
    /// - Throws: `StoredFlaw` for anything that is no column of this length.
    static func read(
        count: Int, with planes: PlaneReader, from input: inout ByteReader
    ) throws -> [Int64] {
        try [Int64](unsafeUninitializedCapacity: count) { buffer, used in
            try buffer.withMemoryRebound(to: UInt64.self) {
                try read(with: planes, from: &input, into: $0)
            }
            used = count
        }
    }

    /// Reads as many numbers, as their bits, as `numbers` has places; all of them are initialized
    /// unless it throws.
    ///
    /// - Throws: `StoredFlaw` for anything that is no column of this length.
    static func read(
        with planes: PlaneReader, from input: inout ByteReader,
        into numbers: UnsafeMutableBufferPointer<UInt64>
    ) throws {
        guard let form = Form(rawValue: try input.number(UInt8.self)) else {
            throw StoredFlaw("has a column of an unknown form")
        }
        guard numbers.count > 0 else { return }
        let first = form == .differences ? try input.zigzag() : 0
        let base = UInt64(bitPattern: try input.zigzag())
        let scale = try input.varint()
        let width = Int(try input.number(UInt8.self))
        guard width <= 8 else { throw StoredFlaw("has a column of width \(width)") }
        let skipped = form == .differences ? 1 : 0
        let packed = UnsafeMutableBufferPointer(rebasing: numbers[skipped...])
        try planes.read(width: width, from: &input, into: packed)
        switch form {
        case .offsets:
            if scale == 1 {
                for index in packed.indices { packed[index] &+= base }
            } else {
                for index in packed.indices { packed[index] = base &+ packed[index] &* scale }
            }
        case .differences:
            var value = UInt64(bitPattern: first)
            numbers.initializeElement(at: 0, to: value)
            for index in packed.indices {
                value = value &+ base &+ packed[index] &* scale
                packed[index] = value
            }
        }
    }

    private static func write(
        _ values: [Int64], _ form: Form, with planes: PlaneWriter, to output: inout [UInt8]
    ) {
        output.append(form.rawValue)
        guard let first = values.first else { return }
        var signed = values
        if form == .differences {
            output.append(zigzag: first)
            for index in stride(from: values.count - 1, to: 0, by: -1) {
                signed[index] = values[index] &- values[index - 1]
            }
            signed.removeFirst()
        }
        let base = signed.min() ?? 0
        var numbers = signed.map { UInt64(bitPattern: $0 &- base) }
        let scale = commonDivisor(numbers)
        if scale > 1 { for index in numbers.indices { numbers[index] /= scale } }
        let width = (64 - (numbers.max() ?? 0).leadingZeroBitCount + 7) / 8
        output.append(zigzag: base)
        output.append(varint: max(1, scale))
        output.append(UInt8(width))
        planes.write(numbers, width: width, to: &output)
    }

    /// The greatest number that divides all; 0 when all are 0.
    private static func commonDivisor(_ numbers: [UInt64]) -> UInt64 {
        var divisor: UInt64 = 0
        for number in numbers {
            // Most are a multiple already, which one division tells.
            if divisor != 0, number % divisor == 0 { continue }
            var (left, right) = (divisor, number)
            while right != 0 { (left, right) = (right, left % right) }
            divisor = left
            if divisor == 1 { break }
        }
        return divisor
    }
}
