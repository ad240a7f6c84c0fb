import FoundationEssentials

/// A moment: microseconds since 1970 UTC.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (left: Self, right: Self) -> Bool {
        left.microseconds < right.microseconds
    }

    /// RFC 3339 in UTC with microseconds: "2026-01-31T09:30:00.000000Z".
    public var text: String {
        var text: [UInt8] = []
        text.reserveCapacity(32)
        write(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends `text`: long lists have three moments in each row.
    public func write(to text: inout [UInt8]) {
        let (days, inDay) = Self.floored(microseconds, by: 86_400_000_000)
        let (seconds, micros) = Self.floored(inDay, by: 1_000_000)
        let (year, month, day) = Self.date(daysSince1970: days)
        func put(_ number: Int64, _ width: Int, _ mark: Unicode.Scalar) {
            var least: Int64 = 1
            for _ in 1..<width { least *= 10 }
            if number < 0 || number >= least * 10 {
                let digits = String(number).utf8
                for _ in 0..<max(0, width - digits.count) { text.append(UInt8(ascii: "0")) }
                text += digits
            } else {
                while least > 0 {
                    text.append(UInt8(ascii: "0") + UInt8(number / least % 10))
                    least /= 10
                }
            }
            text.append(UInt8(ascii: mark))
        }
        put(year, 4, "-")
        put(month, 2, "-")
        put(day, 2, "T")
        put(seconds / 3_600, 2, ":")
        put(seconds / 60 % 60, 2, ":")
        put(seconds % 60, 2, ".")
        put(micros, 6, "Z")
    }

    private static func floored(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The Gregorian date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
    /// civil_from_days. Years begin in March there, so that a leap day ends one.
    private static func date(daysSince1970 days: Int64) -> (Int64, Int64, Int64) {
        let (era, day) = floored(days + 719_468, by: 146_097)
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let inYear = day - (365 * year + year / 4 - year / 100)
        let marchMonth = (5 * inYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (
            year + era * 400 + (month <= 2 ? 1 : 0), month,
            inYear - (153 * marchMonth + 2) / 5 + 1
        )
    }
}

/// Gives the time; injected wherever time matters, so that tests own it.
public protocol WallClock: Sendable {
    /// The current moment.
    func now() -> Timestamp
}

/// The machine's clock.
public struct SystemClock: WallClock {
    public init() {}

    public func now() -> Timestamp {
        Timestamp(microseconds: Int64(Date.now.timeIntervalSince1970 * 1_000_000))
    }
}

/// A number of bytes.
public struct ByteCount: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var bytes: UInt64

    public init(_ bytes: UInt64) { self.bytes = bytes }

    public static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }

    /// For people: "17 B", "1.5 KiB", "20.0 GiB".
    public var description: String {
        guard bytes >= 1_024 else { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = -1
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while value >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}

extension ByteCount {
    /// A size as people write it: a whole number, alone or with B, KiB, MiB, GiB or TiB behind it; `nil`
    /// for anything else.
    public init?(size text: String) {
        let units = ["KiB", "MiB", "GiB", "TiB"]
        let unit = units.firstIndex { text.hasSuffix($0) }
        let end = unit == nil ? (text.hasSuffix("B") ? 1 : 0) : 3
        let digits = text.dropLast(end)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let count = UInt64(digits) else {
            return nil
        }
        let (bytes, isOver) = count.multipliedReportingOverflow(
            by: 1 << UInt64(10 * ((unit ?? -1) + 1)))
        guard !isOver else { return nil }
        self.init(bytes)
    }
}

extension Duration {
    /// An age as people write it: a whole number with s, m, h, d or w behind it, at most a hundred
    /// years; `nil` for anything else.
    public init?(age text: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        let longest: Int64 = 100 * 366 * 86_400
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()),
            (0...longest / unit).contains(count)
        else { return nil }
        self = .seconds(count * unit)
    }
}
