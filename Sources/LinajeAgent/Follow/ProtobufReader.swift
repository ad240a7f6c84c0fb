/// Reads the fields of a Protocol Buffers message one by one, from bytes nobody vouches for. It
/// builds nothing: a field is a number or a slice of what it was given.
package struct ProtobufReader {
    /// Why the bytes are no message.
    package enum Failure: Error, Equatable {
        /// They end inside a field.
        case truncated
        /// A varint of more than 64 bits, a field number 0, or a kind of field that proto3 lacks.
        case malformed
    }

    package enum Value: Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>

    package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; `nil` at the end.
    package mutating func next() throws(Failure) -> (field: UInt64, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        guard tag >> 3 != 0, tag <= UInt64(UInt32.max) else { throw .malformed }
        switch tag & 7 {
        case 0: return (tag >> 3, .varint(try varint()))
        case 1: return (tag >> 3, .fixed64(Self.number(try take(8))))
        case 2: return (tag >> 3, .bytes(try take(try varint())))
        case 5: return (tag >> 3, .fixed32(UInt32(truncatingIfNeeded: Self.number(try take(4)))))
        default: throw .malformed
        }
    }

    private mutating func varint() throws(Failure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw .truncated }
            guard shift < 63 || byte <= 1 else { throw .malformed }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw .malformed
    }

    private mutating func take(_ count: UInt64) throws(Failure) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw .truncated }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    /// Up to eight bytes, the lowest first.
    package static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
