/// A value on the stack of a pickle that is read but not run. Contents lie in a `PickleArena`.
struct PickleValue: Sendable {
    enum Kind: UInt8, Sendable {
        case none, bool, int, wideInt, float
        /// A text whose bytes are kept: `small` is its length, `wide` where it is.
        case text
        /// A text that is not kept: `small` is its length, `wide` its first eight bytes.
        case cutText
        /// A text whose escapes were not resolved.
        case escapedText
        /// Bytes; `wide` is the number of a kept blob, or none.
        case bytes
        /// Few bytes, which are kept like a text.
        case shortBytes
        /// What a module holds: `small` is its number.
        case global
        case tuple, list, dict, set
        /// What a call made: `small` is its number.
        case object
        /// What the loader supplies by an id: `small` is the number of an object whose args hold it.
        case persistent
        /// A container that is no longer kept.
        case cut
        /// A place of the memo where nothing was put.
        case hole
        /// Memory that the loader supplies.
        case buffer
    }

    var kind: Kind
    var small: UInt32 = 0
    var wide: UInt64 = 0

    static let none = PickleValue(kind: .none)
    /// The `wide` of bytes that are not kept.
    static let noBlob = UInt64.max

    static func bool(_ flag: Bool) -> PickleValue { PickleValue(kind: .bool, wide: flag ? 1 : 0) }

    static func int(_ value: Int64) -> PickleValue {
        PickleValue(kind: .int, wide: UInt64(bitPattern: value))
    }

    static func float(_ value: Double) -> PickleValue {
        PickleValue(kind: .float, wide: value.bitPattern)
    }

    var isText: Bool { kind == .text || kind == .cutText || kind == .escapedText }
}

/// Why reading a pickle ends before its end.
struct PickleFault: Error {
    var message: String

    init(_ message: String) { self.message = message }
}
