/// Operations whose length stands in the file.
extension PickleMachine {
    enum Counted {
        /// All of it is in the window: so many bytes with the operation itself.
        case inside(Int)
        /// It is not: what to do, and how many bytes have been read.
        case outside(Outcome, Int)
    }

    /// Longest data that must be in the window to be looked at; longer bytes are skipped.
    static let mostWindowBytes: UInt64 = 64 << 10

    /// How long an operation is.
    mutating func counted(
        _ operation: UInt8, _ window: [UInt8], _ index: Int, isEnd: Bool
    ) throws(PickleFault) -> Counted {
        let lines = PickleOpcode.lines(operation)
        if lines > 0 { return try lined(lines, window, index, isEnd: isEnd) }
        let header = 1 + Int(PickleOpcode.fixedBytes[Int(operation)])
        let length = number(window, index + 1, header - 1)
        let isSigned =
            operation == 0x8b || operation == UInt8(ascii: "T")
        guard !isSigned || length < 1 << 31 else {
            throw PickleFault("has data of negative length")
        }
        guard length < 1 << 62 else { throw PickleFault("has data of \(length) bytes") }
        let available = window.count - index - header
        if length <= UInt64(available) { return .inside(header + Int(length)) }
        if isEnd { throw PickleFault("ends inside data of \(length) bytes") }
        let (end, overflow) = position.addingReportingOverflow(UInt64(header) + length)
        guard !overflow else { throw PickleFault("has data of \(length) bytes") }
        if position < frameEnd, end > frameEnd {
            throw PickleFault("has an operation that reaches over the end of its frame")
        }
        if length <= Self.mostWindowBytes { return .outside(.more(header + Int(length)), 0) }
        // Bytes that look as if they were to be loaded are kept whole, others are not read at all.
        guard available >= 8 else { return .outside(.more(header + 8), 0) }
        let first = window[(index + header)..<(index + header + 8)]
        let isBytes = PickleOpcode.isBytes(operation)
        if isBytes, length <= Self.mostNestedBytes, NestedFile.isLikely(first) {
            return .outside(.more(header + Int(length)), 0)
        }
        var value = PickleValue(
            kind: isBytes ? .bytes : .cutText, small: UInt32(clamping: length),
            wide: PickleValue.noBlob)
        switch operation {
        case 0x8a, 0x8b: value = PickleValue(kind: .wideInt)
        case _ where !isBytes: value.wide = number(window, index + header, 8)
        default: break
        }
        try push(value)
        return .outside(.skip(length), header)
    }

    private func lined(
        _ lines: Int, _ window: [UInt8], _ index: Int, isEnd: Bool
    ) throws(PickleFault) -> Counted {
        var place = index + 1
        var left = lines
        while left > 0 {
            guard let end = newline(window, from: place) else {
                if isEnd { throw PickleFault("ends inside a line") }
                guard window.count - index <= Self.mostLineBytes else {
                    throw PickleFault("has a line of more than \(Self.mostLineBytes) bytes")
                }
                return .outside(.more(window.count - index + 1), 0)
            }
            place = end + 1
            left -= 1
        }
        return .inside(place - index)
    }

    private func newline(_ window: [UInt8], from start: Int) -> Int? {
        var place = start
        while place < window.count {
            if window[place] == UInt8(ascii: "\n") { return place }
            place += 1
        }
        return nil
    }

    // MARK: Values

    /// The value of an operation that is data.
    mutating func pushText(_ bytes: ArraySlice<UInt8>) throws(PickleFault) {
        try push(arena.text(bytes))
    }

    mutating func pushBytes(_ bytes: ArraySlice<UInt8>) throws(PickleFault) {
        if bytes.count <= PickleArena.mostTextBytes, !NestedFile.isLikely(bytes.prefix(8)) {
            return try push(arena.shortBytes(bytes))
        }
        guard UInt64(bytes.count) <= Self.mostNestedBytes, NestedFile.isLikely(bytes.prefix(8))
        else {
            return try push(
                PickleValue(
                    kind: .bytes, small: UInt32(clamping: bytes.count), wide: PickleValue.noBlob))
        }
        try push(arena.blob(bytes))
    }

    /// LONG1 and LONG4: a number in two's complement.
    mutating func pushLong(_ bytes: ArraySlice<UInt8>) throws(PickleFault) {
        guard bytes.count <= 8 else { return try push(PickleValue(kind: .wideInt)) }
        var value: UInt64 = 0
        for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
        let unused = UInt64(64 - 8 * bytes.count)
        guard unused < 64 else { return try push(.int(0)) }
        try push(.int(Int64(bitPattern: value << unused) >> Int64(unused)))
    }

    /// INT and LONG of protocol 0.
    mutating func pushDecimal(_ line: ArraySlice<UInt8>, isLong: Bool) throws(PickleFault) {
        var digits = line
        if isLong, digits.last == UInt8(ascii: "L") { digits = digits.dropLast() }
        if !isLong, digits.count == 2, digits.first == UInt8(ascii: "0") {
            switch digits.last {
            case UInt8(ascii: "0"): return try push(.bool(false))
            case UInt8(ascii: "1"): return try push(.bool(true))
            default: break
            }
        }
        if digits.count <= 18, let value = Self.small(digits) { return try push(.int(value)) }
        guard let text = String(validating: digits, as: UTF8.self), digits.count <= 4_300 else {
            throw PickleFault("has a number that is none")
        }
        if let value = Int64(text) { return try push(.int(value)) }
        let magnitude = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard !magnitude.isEmpty, magnitude.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw PickleFault("has a number that is none")
        }
        try push(PickleValue(kind: .wideInt))
    }

    /// A number that surely fits.
    private static func small(_ digits: ArraySlice<UInt8>) -> Int64? {
        let isNegative = digits.first == UInt8(ascii: "-")
        let magnitude = isNegative ? digits.dropFirst() : digits
        guard !magnitude.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in magnitude {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value &* 10 &+ Int64(digit &- 0x30)
        }
        return isNegative ? -value : value
    }

    /// STRING of protocol 0: quoted, with escapes.
    mutating func pushQuoted(_ line: ArraySlice<UInt8>) throws(PickleFault) {
        guard line.count >= 2, let quote = line.first, quote == line.last,
            quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
        else { throw PickleFault("has a text without quotes") }
        try pushLine(line.dropFirst().dropLast())
    }

    /// UNICODE of protocol 0. A text with escapes is no name: it is kept as one that was not read.
    mutating func pushLine(_ line: ArraySlice<UInt8>) throws(PickleFault) {
        guard !line.contains(UInt8(ascii: "\\")) else {
            return try push(
                PickleValue(kind: .escapedText, small: UInt32(clamping: line.count)))
        }
        try pushText(line)
    }

    /// The number of a PUT or GET of protocol 0.
    func lineNumber(_ line: ArraySlice<UInt8>) throws(PickleFault) -> UInt64 {
        guard !line.isEmpty, line.count <= 10,
            let number = UInt64(String(decoding: line, as: UTF8.self)), line.first != 0x2b
        else { throw PickleFault("remembers a value under no number") }
        return number
    }
}
