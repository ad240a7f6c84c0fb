extension Timestamp {
    /// A moment as people and RFC 3339 write it: a day, "2026-01-31", which stands for its beginning,
    /// or a day and a time, "2026-01-31T09:30", with seconds and a fraction of them if wanted, then
    /// nothing or "Z" for UTC, or an offset, "+02:00". A space may stand for the "T".
    ///
    /// Digits after the microsecond are dropped. `nil` for anything else, and for a day or a time
    /// that does not exist.
    public init?(text: some StringProtocol) {
        var reader = DigitReader(text)
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2),
            reader.take("-"), let day = reader.number(2), (1...12).contains(month),
            (1...Self.days(in: month, of: year)).contains(day)
        else { return nil }
        var seconds = Self.daysSince1970(year, month, day) * 86_400
        var micros: Int64 = 0
        if !reader.isAtEnd {
            guard reader.takeAny("Tt ") != nil, let time = Self.timeOfDay(&reader) else {
                return nil
            }
            seconds += time.seconds
            micros = time.micros
        }
        guard reader.isAtEnd else { return nil }
        self.init(microseconds: seconds * 1_000_000 + micros)
    }

    /// The seconds since the day's beginning in UTC, which an offset may put into another day.
    private static func timeOfDay(
        _ reader: inout DigitReader
    ) -> (seconds: Int64, micros: Int64)? {
        guard let hour = reader.number(2), hour < 24, reader.take(":"),
            let minute = reader.number(2), minute < 60
        else { return nil }
        var seconds = hour * 3_600 + minute * 60
        var micros: Int64 = 0
        if reader.take(":") {
            guard let second = reader.number(2), second < 60 else { return nil }
            seconds += second
            if reader.take(".") {
                guard let fraction = reader.microseconds() else { return nil }
                micros = fraction
            }
        }
        guard let zone = reader.takeAny("Zz+-") else { return (seconds, micros) }
        guard zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-") else {
            return (seconds, micros)
        }
        guard let hours = reader.number(2), hours < 24, reader.take(":"),
            let minutes = reader.number(2), minutes < 60
        else { return nil }
        let offset = hours * 3_600 + minutes * 60
        return (zone == UInt8(ascii: "+") ? seconds - offset : seconds + offset, micros)
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let inEra = year - era * 400
        let inYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + inEra * 365 + inEra / 4 - inEra / 100 + inYear - 719_468
    }
}

/// Takes digits and marks off a text.
private struct DigitReader {
    private var rest: ArraySlice<UInt8>

    init(_ text: some StringProtocol) { rest = Array(text.utf8)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// A number of exactly so many digits.
    mutating func number(_ digits: Int) -> Int64? {
        let part = rest.prefix(digits)
        guard part.count == digits, part.allSatisfy(Self.isDigit) else { return nil }
        rest = rest.dropFirst(digits)
        return part.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// The digits behind a decimal point, one at least.
    mutating func microseconds() -> Int64? {
        let part = rest.prefix(while: Self.isDigit)
        guard !part.isEmpty else { return nil }
        rest = rest.dropFirst(part.count)
        var micros: Int64 = 0
        for place in 0..<6 {
            let index = part.startIndex + place
            micros = micros * 10 + (index < part.endIndex ? Int64(part[index] - 0x30) : 0)
        }
        return micros
    }

    mutating func take(_ mark: Unicode.Scalar) -> Bool {
        guard let byte = rest.first, UInt32(byte) == mark.value else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// One of the marks.
    mutating func takeAny(_ marks: String) -> UInt8? {
        guard let byte = rest.first, marks.utf8.contains(byte) else { return nil }
        rest = rest.dropFirst()
        return byte
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
