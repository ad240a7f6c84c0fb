package import LinajeDomain

/// Bytes of a file, taken one after the other. Every read is checked: what is not there is an error
/// that names the file and the place, never a trap.
package struct ByteCursor: Sendable {
    /// The order of the bytes of a number.
    package enum Order: Sendable {
        case little, big
    }

    /// What errors call the file.
    package let name: String
    private let bytes: ArraySlice<UInt8>
    /// Where the first of `bytes` stands in the file.
    private let base: UInt64
    /// How many bytes have been taken.
    package private(set) var position = 0

    /// - Parameters:
    ///   - name: What errors call the file: its path.
    ///   - base: Where the bytes stand in the file.
    package init(_ bytes: ArraySlice<UInt8>, name: String, base: UInt64 = 0) {
        self.bytes = bytes
        self.name = name
        self.base = base
    }

    package init(_ bytes: [UInt8], name: String, base: UInt64 = 0) {
        self.init(bytes[...], name: name, base: base)
    }

    /// How many bytes are left.
    package var remaining: Int { bytes.count - position }
    package var isAtEnd: Bool { remaining == 0 }
    /// Where the next byte stands in the file.
    package var offset: UInt64 { base &+ UInt64(position) }

    /// The next byte, which stays.
    package var peek: UInt8? { isAtEnd ? nil : bytes[bytes.startIndex + position] }

    /// Takes `count` bytes.
    ///
    /// - Throws: `invalidArgument` when there are fewer.
    package mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw failure("ends where \(count) more bytes belong, \(remaining) are left")
        }
        let start = bytes.startIndex + position
        position += count
        return bytes[start..<(start + count)]
    }

    /// Takes as many bytes as a file says, which may be any number.
    package mutating func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
        guard let fitting = Int(exactly: count), fitting <= remaining else {
            throw failure("ends where \(count) more bytes belong, \(remaining) are left")
        }
        return try take(fitting)
    }

    /// Drops `count` bytes.
    package mutating func skip(_ count: Int) throws { _ = try take(count) }

    /// Goes to the byte `position` from the start of these bytes.
    package mutating func seek(to position: Int) throws {
        guard position >= 0, position <= bytes.count else {
            throw failure("has no byte \(base &+ UInt64(clamping: position)) to go to")
        }
        self.position = position
    }

    /// Takes a whole number.
    package mutating func integer<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self, _ order: Order = .little
    ) throws -> Number {
        let part = try take(Number.bitWidth / 8)
        var value = Number.zero
        switch order {
        case .little: for byte in part.reversed() { value = value << 8 | Number(byte) }
        case .big: for byte in part { value = value << 8 | Number(byte) }
        }
        return value
    }

    package mutating func byte() throws -> UInt8 {
        guard !isAtEnd else { throw failure("ends where one more byte belongs") }
        defer { position += 1 }
        return bytes[bytes.startIndex + position]
    }

    package mutating func uint16(_ order: Order = .little) throws -> UInt16 {
        try integer(UInt16.self, order)
    }
    package mutating func uint32(_ order: Order = .little) throws -> UInt32 {
        try integer(UInt32.self, order)
    }
    package mutating func uint64(_ order: Order = .little) throws -> UInt64 {
        try integer(UInt64.self, order)
    }

    package mutating func float(_ order: Order = .little) throws -> Float {
        Float(bitPattern: try integer(UInt32.self, order))
    }

    package mutating func double(_ order: Order = .little) throws -> Double {
        Double(bitPattern: try integer(UInt64.self, order))
    }

    /// Takes `count` bytes as text.
    ///
    /// - Throws: `invalidArgument` when they are not UTF-8.
    package mutating func text(_ count: UInt64) throws -> String {
        let part = try take(count)
        guard let text = String(validating: part, as: UTF8.self) else {
            throw failure("has a text that is not UTF-8 before it stands")
        }
        return text
    }

    /// An error that names the file and the place in it.
    package func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(name) \(what) at byte \(offset)")
    }
}
