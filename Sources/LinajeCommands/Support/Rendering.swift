import Glibc
import LinajeDomain

/// Values as text for people.
enum Rendering {
    /// RFC 3339 in UTC with microseconds: "2026-01-31T09:30:00.000000Z".
    static func time(_ time: Timestamp) -> String { time.text }

    /// For tables: UTC, to the second.
    static func shortTime(_ time: Timestamp?) -> String {
        guard let time else { return "" }
        return time.text.prefix { $0 != "." }.split(separator: "T").joined(separator: " ")
    }

    /// A length of time: "1h 02m", "3m 20s", "4.2s", "15ms".
    static func duration(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        if seconds < 1 { return "\(Int((seconds * 1_000).rounded()))ms" }
        if seconds < 60 { return decimal(seconds, 1) + "s" }
        let whole = Int(min(seconds, 1e12))
        if whole < 3_600 { return "\(whole / 60)m \(padded(whole % 60, 2))s" }
        return "\(whole / 3_600)h \(padded(whole % 3_600 / 60, 2))m"
    }

    /// A short time: "240 µs", "1.2 ms", "35 ms", "1.2 s".
    static func latency(_ duration: Duration) -> String {
        let micros = duration / .microseconds(1)
        if micros < 1_000 { return decimal(micros, 0) + " µs" }
        if micros < 10_000 { return decimal(micros / 1_000, 1) + " ms" }
        if micros < 1_000_000 { return decimal(micros / 1_000, 0) + " ms" }
        return decimal(micros / 1_000_000, 1) + " s"
    }

    /// A number with at most six significant digits, for tables.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value > 0 ? "Inf" : "-Inf" }
        var text = [CChar](repeating: 0, count: 48)
        _ = withVaList([value]) { vsnprintf(&text, text.count, "%.6g", $0) }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A number with as many digits as tell it from every other.
    static func exact(_ value: Double) -> String {
        value.isFinite ? "\(value)" : number(value)
    }

    /// A number with a fixed number of decimals.
    static func decimal(_ value: Double, _ places: Int) -> String {
        var text = [CChar](repeating: 0, count: 400)
        _ = withVaList([Int32(clamping: places), value]) {
            vsnprintf(&text, text.count, "%.*f", $0)
        }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A whole number with its thousands apart: "1,234,567".
    static func grouped(_ number: some BinaryInteger) -> String {
        let digits = String(number)
        var out = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0, out != "-" { out += "," }
            out.append(digit)
        }
        return out
    }

    /// The first twelve digits of a digest, for tables.
    static func short(_ digest: SHA256Digest) -> String { String(digest.description.prefix(12)) }

    static func tags(_ tags: [Tag]) -> String {
        tags.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
