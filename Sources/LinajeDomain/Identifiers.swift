/// The id of a run: 16 bytes, of which new ones begin with their time (`timeOrdered`), shown as 32 hex
/// digits.
public struct RunID: Identifier {
    public let bytes: Bytes16
    public init(bytes: Bytes16) { self.bytes = bytes }
    public static let prefix = ""
    public static let noun = "run id"
}

/// The id of a logged model: 16 bytes, as those of a run, shown as "m-" and 32 hex digits.
public struct LoggedModelID: Identifier {
    public let bytes: Bytes16
    public init(bytes: Bytes16) { self.bytes = bytes }
    public static let prefix = "m-"
    public static let noun = "logged model id"
}

/// The id of a metric writer: 16 random bytes that a client keeps over reconnects.
public struct WriterID: Identifier {
    public let bytes: Bytes16
    public init(bytes: Bytes16) { self.bytes = bytes }
    public static let prefix = ""
    public static let noun = "writer id"
}

/// The id of an ingest session: 16 random bytes.
public struct IngestID: Identifier {
    public let bytes: Bytes16
    public init(bytes: Bytes16) { self.bytes = bytes }
    public static let prefix = ""
    public static let noun = "ingest id"
}

/// The key that makes a change happen once: 16 random bytes chosen by the caller.
public struct IdempotencyKey: Identifier {
    public let bytes: Bytes16
    public init(bytes: Bytes16) { self.bytes = bytes }
    public static let prefix = ""
    public static let noun = "idempotency key"
}

/// An experiment's number, shown in decimal.
public typealias ExperimentID = Int64

/// 16 bytes, kept in two words so that ids cost no allocation.
public struct Bytes16: Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// `nil` unless there are exactly 16 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        let read = bytes.withContiguousStorageIfAvailable { Bytes16(UnsafeRawBufferPointer($0)) }
        if let read {
            guard let read else { return nil }
            self = read
            return
        }
        guard bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in bytes.enumerated() {
            if index < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
        }
        self.init(high: words.0, low: words.1)
    }

    /// `nil` unless there are exactly 16 bytes.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// The bytes, most significant first.
    public var array: [UInt8] {
        var out = [UInt8]()
        out.reserveCapacity(16)
        for shift in stride(from: 56, through: 0, by: -8) {
            out.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            out.append(UInt8(truncatingIfNeeded: low >> UInt64(shift)))
        }
        return out
    }
}

/// What ids of 16 bytes have in common.
public protocol Identifier: Sendable, Hashable, CustomStringConvertible {
    /// The bytes.
    var bytes: Bytes16 { get }
    init(bytes: Bytes16)
    /// What stands before the hex digits when the id is shown.
    static var prefix: String { get }
    /// What an error message calls it.
    static var noun: String { get }
}

extension Identifier {
    /// A new random id.
    public static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return Self(bytes: Bytes16(high: generator.next(), low: generator.next()))
    }

    /// A new id that begins with its time: a UUID of version 7 (RFC 9562, section 5.7).
    ///
    /// What comes at one time stands side by side in every index then, so that a list by time reads
    /// a few pages of the database instead of one from anywhere for each of its rows.
    ///
    /// - Parameter milliseconds: since 1970 UTC, of which 48 bits are kept; `nil`: now.
    public static func timeOrdered(at milliseconds: UInt64? = nil) -> Self {
        var generator = SystemRandomNumberGenerator()
        return timeOrdered(at: milliseconds ?? Self.now, using: &generator)
    }

    /// The same with random bits from a generator.
    public static func timeOrdered(
        at milliseconds: UInt64, using generator: inout some RandomNumberGenerator
    ) -> Self {
        let high = milliseconds << 16 | 0x7000 | generator.next() & 0x0fff
        let low = 0b10 << 62 | generator.next() & (1 << 62 - 1)
        return Self(bytes: Bytes16(high: high, low: low))
    }

    private static var now: UInt64 {
        UInt64(max(0, SystemClock().now().microseconds)) / 1_000
    }

    /// An id from the bytes of a message or a database.
    ///
    /// - Throws: `invalidArgument` unless there are exactly 16 bytes.
    public init(_ bytes: some Collection<UInt8>) throws {
        guard let value = Bytes16(bytes) else {
            throw LinajeError(
                .invalidArgument, "\(Self.noun) has \(bytes.count) bytes; it must have 16")
        }
        self.init(bytes: value)
    }

    /// An id from its text form; the prefix must be there.
    ///
    /// - Throws: `invalidArgument` when the text is no such id.
    public init(parsing text: some StringProtocol) throws {
        guard text.hasPrefix(Self.prefix),
            let bytes = Hex.decode(text.dropFirst(Self.prefix.count)), let value = Bytes16(bytes)
        else {
            throw LinajeError(
                .invalidArgument,
                "\"\(String(text.prefix(80)))\" is no \(Self.noun): it must be "
                    + (Self.prefix.isEmpty ? "" : "\"\(Self.prefix)\" and ") + "32 hex digits")
        }
        self.init(bytes: value)
    }

    /// The 16 bytes, as messages and databases carry them.
    public var array: [UInt8] { bytes.array }

    public var description: String { Self.prefix + Hex.encode(bytes.array) }
}

/// Lower-case hexadecimal.
public enum Hex {
    /// Two digits a byte.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out = [UInt8]()
        out.reserveCapacity(bytes.underestimatedCount * 2)
        for byte in bytes {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes, or `nil` when the text is not an even number of lower-case hex digits.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let utf8 = Array(text.utf8)
        guard utf8.count.isMultiple(of: 2) else { return nil }
        var out = [UInt8]()
        out.reserveCapacity(utf8.count / 2)
        for index in stride(from: 0, to: utf8.count, by: 2) {
            guard let high = nibble(utf8[index]), let low = nibble(utf8[index + 1]) else {
                return nil
            }
            out.append(high << 4 | low)
        }
        return out
    }

    private static func nibble(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
