/// Makes messages of protocol buffers, right and wrong ones, by field numbers.
enum ProtobufBytes {
    static func varint(_ value: UInt64) -> [UInt8] {
        var value = value
        var out: [UInt8] = []
        while value >= 0x80 {
            out.append(UInt8(value & 0x7f) | 0x80)
            value >>= 7
        }
        return out + [UInt8(value)]
    }

    /// A field that is a number.
    static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] {
        varint(number << 3) + varint(value)
    }

    /// A field that is bytes or a message.
    static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
    }

    /// A field that is a text.
    static func field(_ number: UInt64, _ text: String) -> [UInt8] {
        field(number, Array(text.utf8))
    }

    /// A message inside a message inside a message, so many times: each path lists field numbers
    /// from the outermost on.
    static func nested(_ path: [UInt64], times: Int, around core: [UInt8] = []) -> [UInt8] {
        // Built from the inside; lengths grow, so the bytes are gathered backwards.
        var backwards = Array(core.reversed())
        for _ in 0..<times {
            for number in path.reversed() {
                let head = varint(number << 3 | 2) + varint(UInt64(backwards.count))
                backwards += head.reversed()
            }
        }
        return backwards.reversed()
    }
}
