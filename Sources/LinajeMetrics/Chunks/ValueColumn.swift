import Glibc

/// How a column of values is packed in a chunk (STORAGE.md "Metric chunks"): as whole numbers that
/// stand for them exactly, bit for bit, in the form that is shortest for the chunk's beginning.
///
/// - `bits64`, `bits32`: the IEEE 754 bits, negative numbers turned over so that neighbours in size
///   are neighbours as numbers; 32 only when every value survives the conversion.
/// - `decimal`: values that are *n* / 10^*k* exactly, as what sensors and people write down is; those
///   few that are not stand beside it.
enum ValueColumn {
    enum Form: UInt8 {
        case bits64 = 0
        case bits32 = 1
        case decimal = 2
    }

    private static let sample = 1_024
    /// Largest power of ten that is tried.
    private static let maximumExponent = 9
    /// One value in so many may be no decimal.
    private static let exceptionShare = 16

    static func write(_ values: [Double], with planes: PlaneWriter, to output: inout [UInt8]) {
        var forms: [(Form, exponent: Int)] = [(.bits64, 0)]
        if values.allSatisfy({ Double(Float($0)).bitPattern == $0.bitPattern }) {
            forms = [(.bits32, 0)]
        }
        if let exponent = exponent(for: values) { forms.append((.decimal, exponent)) }
        var best = forms[0]
        if forms.count > 1 {
            let start = Array(values.prefix(sample))
            let sizes = forms.map { form, exponent in
                var trial: [UInt8] = []
                write(start, form, exponent, with: planes, to: &trial)
                return trial.count
            }
            if sizes[1] < sizes[0] { best = forms[1] }
        }
        write(values, best.0, best.exponent, with: planes, to: &output)
    }

    /// Reads `count` values.
    ///
    /// - Throws: `StoredFlaw` for anything that is no column of this length.
    static func read(
        count: Int, with planes: PlaneReader, from input: inout ByteReader
    ) throws -> [Double] {
        switch Form(rawValue: try input.number(UInt8.self)) {
        case .bits64:
            return try read(count: count, with: planes, from: &input) {
                turned(Int64(bitPattern: $0))
            }
        case .bits32:
            return try read(count: count, with: planes, from: &input) {
                Double(Float(bitPattern: turned32(Int64(bitPattern: $0)))).bitPattern
            }
        case .decimal: return try readDecimals(count: count, with: planes, from: &input)
        case nil: throw StoredFlaw("has values of an unknown form")
        }
    }

    /// Reads whole numbers and makes the values of them in their place: both have 64 bits.
    @inline(__always)
    private static func read(
        count: Int, with planes: PlaneReader, from input: inout ByteReader,
        bits: (UInt64) -> UInt64
    ) throws -> [Double] {
        try [Double](unsafeUninitializedCapacity: count) { buffer, used in
            try buffer.withMemoryRebound(to: UInt64.self) { numbers in
                try IntegerColumn.read(with: planes, from: &input, into: numbers)
                for index in numbers.indices { numbers[index] = bits(numbers[index]) }
            }
            used = count
        }
    }

    private static func write(
        _ values: [Double], _ form: Form, _ exponent: Int, with planes: PlaneWriter,
        to output: inout [UInt8]
    ) {
        output.append(form.rawValue)
        switch form {
        case .bits64:
            let numbers = values.map { ordered($0.bitPattern) }
            IntegerColumn.write(numbers, with: planes, to: &output)
        case .bits32:
            let numbers = values.map { ordered32(Float($0).bitPattern) }
            IntegerColumn.write(numbers, with: planes, to: &output)
        case .decimal: writeDecimals(values, exponent, with: planes, to: &output)
        }
    }

    // MARK: Bits

    /// The bits as a number that is larger for a larger value; `turned` undoes it.
    private static func ordered(_ bits: UInt64) -> Int64 {
        let signed = Int64(bitPattern: bits)
        return signed < 0 ? signed ^ .max : signed
    }

    private static func turned(_ number: Int64) -> UInt64 {
        UInt64(bitPattern: number < 0 ? number ^ .max : number)
    }

    private static func ordered32(_ bits: UInt32) -> Int64 {
        let signed = Int32(bitPattern: bits)
        return Int64(signed < 0 ? signed ^ .max : signed)
    }

    private static func turned32(_ number: Int64) -> UInt32 {
        let signed = Int32(truncatingIfNeeded: number)
        return UInt32(bitPattern: signed < 0 ? signed ^ .max : signed)
    }

    // MARK: Decimals

    private static let powers: [Double] = (0...maximumExponent).map { pow(10, Double($0)) }

    /// *n* such that the value is *n* / `power`, bit for bit; `nil` when there is none.
    @inline(__always)
    private static func decimal(_ value: Double, _ power: Double) -> Int64? {
        let number = (value * power).rounded()
        // Below 2^53 every whole number is a double, and the quotient is the one nearest to it.
        guard abs(number) < 0x1p53 else { return nil }
        let whole = Int64(number)
        // By way of the whole number, which knows no negative zero.
        return (Double(whole) / power).bitPattern == value.bitPattern ? whole : nil
    }

    /// The smallest power of ten with which almost all values of the beginning are decimals.
    private static func exponent(for values: [Double]) -> Int? {
        let start = values.prefix(64)
        let allowed = start.count / exceptionShare
        candidates: for exponent in 0...maximumExponent {
            var exceptions = 0
            for value in start where decimal(value, powers[exponent]) == nil {
                exceptions += 1
                if exceptions > allowed { continue candidates }
            }
            // It must hold for all of them, or the exceptions would cost more than they save.
            let all = values.reduce(0) { $0 + (decimal($1, powers[exponent]) == nil ? 1 : 0) }
            if all <= values.count / exceptionShare { return exponent }
        }
        return nil
    }

    private static func writeDecimals(
        _ values: [Double], _ exponent: Int, with planes: PlaneWriter, to output: inout [UInt8]
    ) {
        var numbers: [Int64] = []
        numbers.reserveCapacity(values.count)
        var exceptions: [(place: Int, value: Double)] = []
        for (place, value) in values.enumerated() {
            if let number = decimal(value, powers[exponent]) {
                numbers.append(number)
            } else {
                // Repeats its neighbour, which costs next to nothing.
                numbers.append(numbers.last ?? 0)
                exceptions.append((place, value))
            }
        }
        output.append(UInt8(exponent))
        output.append(varint: UInt64(exceptions.count))
        var before = 0
        for (place, value) in exceptions {
            output.append(varint: UInt64(place - before))
            before = place
            withUnsafeBytes(of: value.bitPattern.littleEndian) { output += $0 }
        }
        IntegerColumn.write(numbers, with: planes, to: &output)
    }

    private static func readDecimals(
        count: Int, with planes: PlaneReader, from input: inout ByteReader
    ) throws -> [Double] {
        let exponent = Int(try input.number(UInt8.self))
        guard exponent <= maximumExponent else {
            throw StoredFlaw("has decimals of exponent \(exponent)")
        }
        let exceptionCount = try input.varint()
        guard exceptionCount <= UInt64(count) else {
            throw StoredFlaw("has more exceptions than points")
        }
        var exceptions: [(place: Int, value: Double)] = []
        var place = 0
        for _ in 0..<exceptionCount {
            let distance = try input.varint()
            guard distance < UInt64(count - place) else {
                throw StoredFlaw("has an exception past its points")
            }
            place += Int(distance)
            exceptions.append((place, Double(bitPattern: try input.number(UInt64.self))))
        }
        let power = powers[exponent]
        var values = try read(count: count, with: planes, from: &input) {
            (Double(Int64(bitPattern: $0)) / power).bitPattern
        }
        for (place, value) in exceptions { values[place] = value }
        return values
    }
}
