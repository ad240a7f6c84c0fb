package import LinajeDomain

/// The type of a frame (PROTOCOL.md, "Frame").
package enum FrameType: UInt8, Sendable, Hashable, CaseIterable {
    case hello = 1
    case request = 2
    case response = 3
    case data = 4
    case end = 5
    case error = 6
    case credit = 7
    case ping = 8
    case pong = 9
    case cancel = 10
    case goaway = 11

    /// The flag bits that a frame of this type may carry.
    package var allowedFlags: UInt8 {
        switch self {
        case .request, .response: FrameHeader.endFlag
        default: 0
        }
    }
}

/// The 12 bytes before each payload.
package struct FrameHeader: Sendable, Hashable {
    /// Bytes of a header on the wire.
    package static let size = 12
    /// The first 8 bytes that a client sends: "LNJE", CR, LF, SUB, major version.
    package static let preface: [UInt8] = [0x4C, 0x4E, 0x4A, 0x45, 0x0D, 0x0A, 0x1A, 0x01]
    /// On request: no data follows. On response: the stream is over.
    package static let endFlag: UInt8 = 0x01

    /// Bytes of payload.
    package var length: Int
    /// The stream; 0 is the connection.
    package var stream: UInt32
    package var type: FrameType
    package var flags: UInt8
    /// The method; 0 outside request and response.
    package var opcode: UInt16

    package init(
        length: Int, stream: UInt32, type: FrameType, flags: UInt8 = 0, opcode: UInt16 = 0
    ) {
        self.length = length
        self.stream = stream
        self.type = type
        self.flags = flags
        self.opcode = opcode
    }

    /// Whether this is the sender's last frame on the stream.
    package var isEnd: Bool { flags & Self.endFlag != 0 }

    /// Reads a header from its 12 bytes.
    ///
    /// - Throws: `frameTooLarge` before anything is allocated, `badFrame` for reserved bits, an
    ///   unknown type, or an opcode where none belongs.
    package init(parsing bytes: UnsafeRawBufferPointer) throws(LinajeError) {
        precondition(bytes.count == Self.size, "a frame header has 12 bytes")
        let length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        let stream = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let opcode = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
        guard length <= UInt32(Limits.frameBytes) else {
            throw LinajeError(
                .frameTooLarge,
                "frame of \(length) bytes is too large; at most \(Limits.frameBytes) are allowed")
        }
        guard let type = FrameType(rawValue: bytes[8]) else {
            throw LinajeError(.badFrame, "frame type \(bytes[8]) is not known")
        }
        guard bytes[9] & ~type.allowedFlags == 0 else {
            throw LinajeError(
                .badFrame, "flags \(bytes[9]) of a \(type) frame have a reserved bit set")
        }
        guard opcode == 0 || type == .request || type == .response else {
            throw LinajeError(.badFrame, "a \(type) frame carries opcode \(opcode); it must be 0")
        }
        self.init(
            length: Int(length), stream: stream, type: type, flags: bytes[9], opcode: opcode)
    }

    /// Appends the header's 12 bytes.
    package func write(to out: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(length).bigEndian) { out.append(contentsOf: $0) }
        withUnsafeBytes(of: stream.bigEndian) { out.append(contentsOf: $0) }
        out.append(type.rawValue)
        out.append(flags)
        withUnsafeBytes(of: opcode.bigEndian) { out.append(contentsOf: $0) }
    }
}

/// A frame: header and payload.
package struct Frame: Sendable, Hashable {
    package var header: FrameHeader
    package var payload: [UInt8]

    package init(
        _ type: FrameType, stream: UInt32 = 0, flags: UInt8 = 0, opcode: UInt16 = 0,
        payload: [UInt8] = []
    ) {
        header = FrameHeader(
            length: payload.count, stream: stream, type: type, flags: flags, opcode: opcode)
        self.payload = payload
    }

    /// The frame as it travels.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(FrameHeader.size + payload.count)
        header.write(to: &out)
        out += payload
        return out
    }
}
