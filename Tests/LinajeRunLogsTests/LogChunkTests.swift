import LinajeDomain
import Testing

@testable import LinajeRunLogs

@Suite struct LogChunkTests {
    private let chunk = LogChunk(records: [
        .init(
            time: 1_700_000_000_000_000, stream: .stdout, writer: 0, bytes: Array("epoch 1\n".utf8)),
        .init(time: 1_699_999_999_999_000, stream: .stderr, writer: 300, bytes: [0, 255, 10, 13]),
        .init(
            time: .min, stream: .stdout, writer: .max, bytes: [UInt8](repeating: 7, count: 5_000)),
        .init(time: .max, stream: .stderr, writer: 1, bytes: [1]),
    ])

    @Test("a chunk is read as it was written, packed or not")
    func roundTrip() throws {
        let packed = chunk.encoded()
        #expect(packed.count < 200)
        #expect(try LogChunk(decoding: packed) == chunk)
        let small = LogChunk(records: [.init(time: 0, stream: .stderr, writer: 0, bytes: [9])])
        #expect(try LogChunk(decoding: small.encoded()) == small)
    }

    @Test("a chunk that is cut anywhere, or has any bit flipped, is refused")
    func torn() throws {
        let bytes = chunk.encoded()
        for count in 0..<bytes.count {
            #expect(throws: LogChunk.Flaw.self) { try LogChunk(decoding: Array(bytes[..<count])) }
        }
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: LogChunk.Flaw.self) { try LogChunk(decoding: flipped) }
        }
        #expect(throws: LogChunk.Flaw.self) { try LogChunk(decoding: bytes + [0]) }
    }

    @Test("a line is put together for each writer and stream, and long ones come in parts")
    func lines() {
        var assembler = LogLineAssembler()
        func placed(
            _ text: String, _ offset: UInt64, line: UInt64, _ stream: LogStream = .stdout,
            writer: UInt32 = 0
        ) -> PlacedLogRecord {
            PlacedLogRecord(
                LogRecord(
                    time: Timestamp(microseconds: Int64(offset)), .bytes(stream, Array(text.utf8))),
                offset: offset, line: line, writer: writer)
        }
        func text(_ lines: [LogLine]) -> [String] {
            lines.map { "\($0.number):\($0.offset):\(String(decoding: $0.bytes, as: UTF8.self))" }
        }
        #expect(text(assembler.take(placed("ab", 0, line: 1))) == [])
        #expect(text(assembler.take(placed("x\ny", 2, line: 1, .stderr))) == ["1:2:x"])
        #expect(text(assembler.take(placed("1", 5, line: 2, writer: 1))) == [])
        #expect(text(assembler.take(placed("c\n\nd", 6, line: 2))) == ["2:0:abc", "3:8:"])
        #expect(text(assembler.finish()) == ["2:4:y", "2:5:1", "4:9:d"])
        let long = String(repeating: "z", count: LogLineAssembler.lineBytes + 5) + "\n"
        let parts = assembler.take(placed(long, 10, line: 4))
        #expect(parts.map(\.bytes.count) == [LogLineAssembler.lineBytes, 5])
        #expect(parts.map(\.isWhole) == [false, true] && parts.map(\.number) == [4, 4])
    }
}
