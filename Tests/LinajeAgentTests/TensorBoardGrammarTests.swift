import LinajeAgent
import Testing

/// Bytes of event files, made by hand.
enum EventBytes {
    static func varint(_ number: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        var rest = number
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }

    static func little(_ bits: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
    }

    static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(field << 3 | 2) + varint(UInt64(content.count)) + content
    }

    static func double(_ field: UInt64, _ value: Double) -> [UInt8] {
        varint(field << 3 | 1) + little(value.bitPattern, 8)
    }

    static func float(_ field: UInt64, _ value: Float) -> [UInt8] {
        varint(field << 3 | 5) + little(UInt64(value.bitPattern), 4)
    }

    static func event(time: Double, step: UInt64, _ values: [[UInt8]]) -> [UInt8] {
        double(1, time) + varint(2 << 3) + varint(step)
            + bytes(5, values.flatMap { bytes(1, $0) })
    }

    static func simple(_ tag: String, _ value: Float) -> [UInt8] {
        bytes(1, Array(tag.utf8)) + float(2, value)
    }

    static func tensor(_ tag: String, _ tensor: [UInt8], plugin: String) -> [UInt8] {
        bytes(1, Array(tag.utf8)) + bytes(8, tensor)
            + bytes(9, bytes(1, bytes(1, Array(plugin.utf8))))
    }

    static func record(_ data: [UInt8]) -> [UInt8] {
        let length = little(UInt64(data.count), 8)
        return length + little(UInt64(CRC32C.masked(length[...])), 4) + data
            + little(UInt64(CRC32C.masked(data[...])), 4)
    }
}

@Suite struct TensorBoardGrammarTests {
    private func cut(_ bytes: [UInt8], prefix: String = "") -> RecordCut {
        var grammar = TensorBoardGrammar(prefix: prefix)
        return grammar.cut(bytes[...])
    }

    /// The points of a record that is one.
    private func points(_ data: [UInt8], prefix: String = "") -> [FollowedPoint]? {
        guard case .record(_, let record) = cut(EventBytes.record(data), prefix: prefix) else {
            return nil
        }
        return record.points
    }

    @Test("the check of Castagnoli is that of RFC 3720")
    func checks() {
        #expect(CRC32C.of([UInt8](repeating: 0, count: 32)[...]) == 0x8A91_36AA)
        #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)[...]) == 0x62A8_AB43)
        #expect(CRC32C.of(Array(0..<32)[...]) == 0x46DD_794E)
        #expect(CRC32C.of(Array("123456789".utf8)[...]) == 0xE306_9283)
    }

    @Test("simple values are points with tag, step and time")
    func simple() {
        let event = EventBytes.event(
            time: 1_700_000_000.5, step: 7,
            [EventBytes.simple("loss", 0.5), EventBytes.simple("acc", .nan)])
        let points = points(event)
        #expect(points?.map(\.key) == ["loss", "acc"])
        #expect(
            points?.first
                == FollowedPoint(key: "loss", step: 7, time: 1_700_000_000_500_000, value: 0.5))
        #expect(points?.last?.value.isNaN == true)
    }

    @Test("a tensor of one float or double is a point, however it is written")
    func tensors() {
        let shape = EventBytes.bytes(2, [])
        let one = EventBytes.bytes(2, EventBytes.bytes(2, [0x08, 1]))
        let content = EventBytes.bytes(4, EventBytes.little(UInt64(Float(0.25).bitPattern), 4))
        let packed = EventBytes.bytes(5, EventBytes.little(UInt64(Float(0.5).bitPattern), 4))
        let double = EventBytes.bytes(6, EventBytes.little((0.1).bitPattern, 8))
        let values = [
            EventBytes.tensor("a", [0x08, 1] + shape + content, plugin: "scalars"),
            EventBytes.tensor("b", [0x08, 1] + one + packed, plugin: ""),
            EventBytes.tensor("c", [0x08, 2] + shape + double, plugin: "scalars"),
            EventBytes.tensor("d", [0x08, 1] + EventBytes.float(5, 2), plugin: "scalars"),
        ]
        let points = points(EventBytes.event(time: 1, step: 0, values))
        #expect(points?.map(\.value) == [0.25, 0.5, 0.1, 2])
    }

    @Test("what is no scalar is counted and ignored")
    func others() {
        let two = EventBytes.bytes(2, EventBytes.bytes(2, [0x08, 2]))
        let values = [
            EventBytes.tensor("a", [0x08, 1] + two, plugin: "scalars"),
            EventBytes.tensor("b", [0x08, 1] + EventBytes.float(5, 2), plugin: "histograms"),
            EventBytes.tensor("c", [0x08, 7], plugin: "text"),
            EventBytes.simple("", 1), EventBytes.simple("new\nline", 1),
            EventBytes.simple(String(repeating: "x", count: 251), 1),
        ]
        guard
            case .record(_, let record) = cut(
                EventBytes.record(EventBytes.event(time: 1, step: 0, values)))
        else {
            Issue.record("no record")
            return
        }
        #expect(record == FollowedRecord(points: [], ignored: 6))
    }

    @Test("where directories share a run their names stand before the tags")
    func prefix() {
        let event = EventBytes.event(time: 1, step: 0, [EventBytes.simple("loss", 1)])
        #expect(points(event, prefix: "train/")?.first?.key == "train/loss")
    }

    @Test("a record that is not there to its end waits, wherever it is torn")
    func torn() {
        let bytes = EventBytes.record(
            EventBytes.event(time: 1, step: 1, [EventBytes.simple("loss", 1)]))
        for count in 0..<bytes.count {
            guard case .incomplete(let needs) = cut(Array(bytes[..<count])) else {
                Issue.record("\(count) bytes of \(bytes.count) are no part")
                return
            }
            #expect(needs > count && needs <= bytes.count)
        }
    }

    @Test("no bit of a record can change unnoticed")
    func corrupt() {
        let bytes = EventBytes.record(
            EventBytes.event(time: 1, step: 1, [EventBytes.simple("loss", 1)]))
        for index in bytes.indices {
            for bit in 0..<8 {
                var bad = bytes
                bad[index] ^= 1 << UInt8(bit)
                guard case .damaged = cut(bad) else {
                    Issue.record("bit \(bit) of byte \(index) was not missed")
                    return
                }
            }
        }
        guard case .damaged = cut([UInt8](repeating: 0, count: 64)) else {
            Issue.record("a hole is no record")
            return
        }
    }

    @Test("a record longer than the bound is passed over, one without an end is damage")
    func long() {
        func header(_ length: UInt64) -> [UInt8] {
            let bytes = EventBytes.little(length, 8)
            return bytes + EventBytes.little(UInt64(CRC32C.masked(bytes[...])), 4)
        }
        let length = UInt64(AgentLimits.recordBytes) + 1
        #expect(cut(header(length)) == .tooLong(bytes: length + 16))
        guard case .damaged = cut(header(.max)) else {
            Issue.record("a length past all files was believed")
            return
        }
    }

    @Test("no cut of an event's bytes traps, and none is taken for the whole")
    func tornEvent() throws {
        let event = EventBytes.event(
            time: 1, step: 1,
            [EventBytes.tensor("a", [0x08, 1] + EventBytes.float(5, 2), plugin: "scalars")])
        let whole = try TensorBoardEvent(event[...])
        #expect(whole.scalars.count == 1)
        for count in 0..<event.count {
            let part = try? TensorBoardEvent(event[..<count])
            #expect(part != whole)
        }
        for seed in 0..<2_000 {
            var bytes = event
            bytes[seed % bytes.count] = UInt8(truncatingIfNeeded: seed &* 2_654_435_761 >> 7)
            _ = try? TensorBoardEvent(bytes[...])
        }
    }
}
