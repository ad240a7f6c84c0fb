/// Little-endian integers, as packs and recipes hold them.
package enum LittleEndian {
    /// Appends `value`, least significant byte first.
    package static func append(_ value: some FixedWidthInteger, to out: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
    }

    /// Reads from the front; every read past the end is `nil`, and stays so.
    package struct Reader {
        private let source: [UInt8]
        private var position = 0

        package init(_ source: [UInt8]) { self.source = source }

        package var isAtEnd: Bool { position == source.count }

        package mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, count <= source.count - position else { return nil }
            defer { position += count }
            return source[position..<position + count]
        }

        package mutating func byte() -> UInt8? { bytes(1)?.first }

        package mutating func u32() -> UInt32? {
            bytes(4)?.reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }

        package mutating func u64() -> UInt64? {
            bytes(8)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
