/// A moment: microseconds since 1970 UTC.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (left: Self, right: Self) -> Bool {
        left.microseconds < right.microseconds
    }
}

/// Gives the time; injected wherever time matters, so that tests own it.
public protocol WallClock: Sendable {
    /// The current moment.
    func now() -> Timestamp
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
