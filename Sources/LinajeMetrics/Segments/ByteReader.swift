/// What is wrong with stored bytes, before it is known which ones they are.
struct StoredFlaw: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

/// Reads stored bytes part by part; reading past the end is an error.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func take(_ size: Int) throws -> UnsafeRawBufferPointer {
        guard size <= bytes.count - offset else { throw StoredFlaw("ends too early") }
        defer { offset += size }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
        Number(littleEndian: try take(MemoryLayout<Number>.size).loadUnaligned(as: type))
    }

    mutating func text() throws -> String {
        let size = Int(try number(UInt16.self))
        guard let text = String(validating: try take(size), as: UTF8.self) else {
            throw StoredFlaw("has a name that is not UTF-8")
        }
        return text
    }
}
