import LinajeDomain
import LinajeModelFiles
import Testing

@Suite("Inflater")
struct InflaterTests {
    private static let plain = [[UInt8]](repeating: Array("abc".utf8), count: 300).flatMap(\.self)
    private static let packed: [(Inflater.Container, [UInt8])] = [
        (
            .zlib,
            [
                0x78, 0x9c, 0x4b, 0x4c, 0x4a, 0x4e, 0x1c, 0x45, 0xa3, 0x68, 0x14, 0x0d, 0x1c, 0x02,
                0x00, 0x70, 0x02, 0x58, 0x98,
            ]
        ),
        (
            .gzip,
            [
                0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0x02, 0x03, 0x4b, 0x4c, 0x4a, 0x4e, 0x1c, 0x45,
                0xa3, 0x68, 0x14, 0x0d, 0x1c, 0x02, 0x00, 0x45, 0x29, 0x43, 0x26, 0x84, 0x03, 0, 0,
            ]
        ),
        (.raw, [0x4b, 0x4c, 0x4a, 0x4e, 0x1c, 0x45, 0xa3, 0x68, 0x14, 0x0d, 0x1c, 0x02, 0x00]),
    ]

    @Test("streams of each container are unpacked, whole and byte by byte", arguments: 0..<3)
    func unpack(number: Int) throws {
        let (container, bytes) = Self.packed[number]
        #expect(try Inflater.whole(bytes, container, limit: 900, name: "f") == Self.plain)
        let inflater = Inflater(container, name: "f")
        var output: [UInt8] = []
        for byte in bytes {
            var input = [byte][...]
            while !input.isEmpty, !inflater.isFinished {
                let used = try inflater.inflate(input, into: &output, limit: 10_000)
                input = input.dropFirst(used)
            }
        }
        #expect(inflater.isFinished)
        #expect(output == Self.plain)
    }

    @Test("a stream torn at any byte is refused", arguments: 0..<3)
    func torn(number: Int) {
        let (container, bytes) = Self.packed[number]
        for length in 0..<bytes.count {
            #expect(throws: LinajeError.self) {
                try Inflater.whole(Array(bytes[..<length]), container, limit: 900, name: "f")
            }
        }
    }

    @Test("a stream that unpacks to more than was asked for is refused", arguments: 0..<3)
    func bound(number: Int) {
        let (container, bytes) = Self.packed[number]
        let error = #expect(throws: LinajeError.self) {
            try Inflater.whole(bytes, container, limit: 899, name: "f")
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test("the checksum is that of ZIP")
    func checksum() {
        #expect(CRC32.of(Array("123456789".utf8)) == 0xcbf4_3926)
        #expect(CRC32.of([]) == 0)
    }
}
