import LinajeDomain

/// The wire format of protocol buffers (protobuf.dev, "Encoding"), read without a schema and by
/// ranges: what a caller does not ask for is skipped, not fetched.
///
/// Used by one task, with one position for each message (`ProtobufMessage`).
package struct ProtobufReader {
    /// Deepest nesting of messages.
    package static let mostDepth = 64
    /// The longest tag and number together: two varints of 10 bytes.
    private static let longestField = 20

    /// The file.
    package let window: FileWindow

    package init(_ window: FileWindow) { self.window = window }

    /// The file as one message.
    package var root: ProtobufMessage {
        ProtobufMessage(position: 0, end: window.size, depth: 0)
    }

    /// The next field of `message`; `nil` at its end.
    ///
    /// - Throws: `invalidArgument` naming the file and the place.
    package func next(_ message: inout ProtobufMessage) async throws -> ProtobufField? {
        guard message.position < message.end else { return nil }
        let most = Int(min(UInt64(Self.longestField), message.end - message.position))
        if !window.covers(message.position, most) {
            try await window.load(message.position, most)
        }
        return try loadedField(&message)
    }

    /// Skips numbers, as far as they are loaded; the next field may be one all the same.
    ///
    /// The trees of a forest are millions of them. What is not plainly a number is left to `next`.
    package func skipNumbers(_ message: inout ProtobufMessage) {
        let left = message.end - message.position
        message.position += window.withLoaded(from: message.position) { bytes in
            let last = Int(min(UInt64(bytes.count), left)) - Self.longestField
            var place = 0
            while place <= last {
                // Numbers of fields up to 2,047 take one or two bytes.
                let first = bytes[place]
                let isLong = first >= 0x80
                let isPlain =
                    isLong ? (1..<0x80).contains(bytes[place + 1]) : first & 0x78 != 0
                guard isPlain else { break }
                var end = place + (isLong ? 2 : 1)
                switch first & 7 {
                case 0:
                    var width = 1
                    while width < 10, bytes[end] >= 0x80 {
                        end += 1
                        width += 1
                    }
                    guard width < 10 else { return UInt64(place) }
                    end += 1
                case 1: end += 8
                case 5: end += 4
                default: return UInt64(place)
                }
                place = end
            }
            return UInt64(place)
        }
    }

    /// The message that a field of `message` holds.
    ///
    /// - Throws: `invalidArgument` when messages are nested too deep.
    package func message(
        _ range: Range<UInt64>, in outer: ProtobufMessage
    ) throws -> ProtobufMessage {
        guard outer.depth < Self.mostDepth else {
            throw LinajeError(
                .invalidArgument,
                "\(window.path) has messages nested more than \(Self.mostDepth) deep at byte "
                    + "\(range.lowerBound)")
        }
        return ProtobufMessage(
            position: range.lowerBound, end: range.upperBound, depth: outer.depth + 1)
    }

    /// The bytes of a field.
    ///
    /// - Throws: `invalidArgument` when they are more than `limit`.
    package func bytes(_ range: Range<UInt64>, limit: Int) async throws -> [UInt8] {
        guard range.upperBound - range.lowerBound <= UInt64(limit) else {
            throw LinajeError(
                .invalidArgument,
                "\(window.path) has a text of \(range.upperBound - range.lowerBound) bytes at byte "
                    + "\(range.lowerBound); at most \(limit) are read")
        }
        return try await window.bytes(
            range.lowerBound, Int(range.upperBound - range.lowerBound))
    }

    /// A text.
    ///
    /// - Throws: `invalidArgument` when it is longer than `limit` bytes or not UTF-8.
    package func text(_ range: Range<UInt64>, limit: Int = 4_096) async throws -> String {
        guard let text = String(validating: try await bytes(range, limit: limit), as: UTF8.self)
        else {
            throw LinajeError(
                .invalidArgument,
                "\(window.path) has a text at byte \(range.lowerBound) that is not UTF-8")
        }
        return text
    }

    /// The numbers of a repeated field of varints, which stands packed or one by one.
    package func varints(
        _ value: ProtobufField.Value, limit: Int
    ) async throws -> [UInt64] {
        switch value {
        case .varint(let number): return [number]
        case .bytes(let range):
            var numbers: [UInt64] = []
            var position = range.lowerBound
            while position < range.upperBound {
                guard numbers.count < limit else {
                    throw LinajeError(
                        .invalidArgument,
                        "\(window.path) has more than \(limit) numbers at byte "
                            + "\(range.lowerBound)")
                }
                try await window.load(position, Int(min(10, range.upperBound - position)))
                numbers.append(try varint(&position, end: range.upperBound))
            }
            return numbers
        case .fixed64, .fixed32:
            throw LinajeError(
                .invalidArgument, "\(window.path) has a number of another type than its format")
        }
    }

    // MARK: Parts

    private func loadedField(_ message: inout ProtobufMessage) throws -> ProtobufField {
        let tag = try varint(&message.position, end: message.end)
        let number = tag >> 3
        guard number > 0, number < 1 << 29 else {
            throw failure("has a field with the number \(number)", message)
        }
        let value: ProtobufField.Value
        switch tag & 7 {
        case 0:
            value = .varint(try varint(&message.position, end: message.end))
        case 1:
            value = .fixed64(try fixed(8, &message))
        case 2:
            let length = try varint(&message.position, end: message.end)
            guard length <= message.end - message.position else {
                throw failure(
                    "says that field \(number) has \(length) bytes, more than its message", message)
            }
            let start = message.position
            message.position += length
            value = .bytes(start..<message.position)
        case 5:
            value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4, &message)))
        default:
            throw failure("has the wire type \(tag & 7), which is not read", message)
        }
        return ProtobufField(number: Int(number), value: value)
    }

    private func varint(_ position: inout UInt64, end: UInt64) throws -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<10 {
            guard position < end, let byte = window.byte(at: position) else {
                throw LinajeError(
                    .invalidArgument, "\(window.path) ends inside a number at byte \(position)")
            }
            position += 1
            guard index < 9 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            if byte < 0x80 { return value }
        }
        throw LinajeError(
            .invalidArgument, "\(window.path) has a number of more than 64 bits at byte \(position)"
        )
    }

    private func fixed(_ width: Int, _ message: inout ProtobufMessage) throws -> UInt64 {
        guard message.end - message.position >= UInt64(width),
            window.covers(message.position, width)
        else { throw failure("ends inside a number", message) }
        var value: UInt64 = 0
        for index in stride(from: width - 1, through: 0, by: -1) {
            value = value << 8 | UInt64(window.byte(at: message.position + UInt64(index)) ?? 0)
        }
        message.position += UInt64(width)
        return value
    }

    private func failure(_ what: String, _ message: ProtobufMessage) -> LinajeError {
        LinajeError(.invalidArgument, "\(window.path) \(what) at byte \(message.position)")
    }
}

/// How far a message is read.
package struct ProtobufMessage {
    /// The next byte.
    package var position: UInt64
    /// The byte after the last.
    package let end: UInt64
    /// How many messages are around it.
    package let depth: Int
}

/// One field of a message.
package struct ProtobufField {
    package enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// A text, bytes, a message or packed numbers: where they lie.
        case bytes(Range<UInt64>)
    }

    package let number: Int
    package let value: Value
}
