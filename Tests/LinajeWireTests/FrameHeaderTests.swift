import LinajeDomain
import LinajeWire
import Testing

@Suite("FrameHeader")
struct FrameHeaderTests {
    private func parse(_ bytes: [UInt8]) throws -> FrameHeader {
        try bytes.withUnsafeBytes { raw in try FrameHeader(parsing: raw) }
    }

    private func code(_ bytes: [UInt8]) -> LinajeError.Code? {
        do {
            _ = try parse(bytes)
            return nil
        } catch let error as LinajeError {
            return error.code
        } catch {
            return nil
        }
    }

    private func bytes(
        length: UInt32 = 0, stream: UInt32 = 0, type: UInt8, flags: UInt8 = 0, opcode: UInt16 = 0
    ) -> [UInt8] {
        [length, stream].flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        } + [type, flags, UInt8(opcode >> 8), UInt8(truncatingIfNeeded: opcode)]
    }

    @Test("every known type comes back as it was written", arguments: FrameType.allCases)
    func roundTrip(type: FrameType) throws {
        let opcode: UInt16 = type == .request || type == .response ? 0x0606 : 0
        let header = FrameHeader(
            length: 4_194_304, stream: 0xDEAD_BEEF, type: type, flags: type.allowedFlags,
            opcode: opcode)
        var out: [UInt8] = []
        header.write(to: &out)
        #expect(
            out
                == bytes(
                    length: 4_194_304, stream: 0xDEAD_BEEF, type: type.rawValue,
                    flags: type.allowedFlags, opcode: opcode))
        #expect(try parse(out) == header)
    }

    @Test("a length over the limit is refused, whatever else the header says")
    func length() {
        for type: UInt8 in [0, 1, 4, 255] {
            #expect(code(bytes(length: 4_194_305, type: type)) == .frameTooLarge)
            #expect(code(bytes(length: .max, type: type)) == .frameTooLarge)
        }
        #expect(code(bytes(length: 4_194_304, type: 4)) == nil)
    }

    @Test("every type that is not in the table is refused")
    func types() {
        for type in UInt8.min...UInt8.max {
            #expect((code(bytes(type: type)) == .badFrame) == !(1...11).contains(type), "\(type)")
        }
    }

    @Test("every reserved flag bit of every type is refused", arguments: FrameType.allCases)
    func flags(type: FrameType) {
        for bit in 0..<8 {
            let flag = UInt8(1) << bit
            let isAllowed = flag == 1 && (type == .request || type == .response)
            let found = code(bytes(type: type.rawValue, flags: flag))
            #expect(found == (isAllowed ? nil : .badFrame), "\(type) bit \(bit)")
        }
    }

    @Test("an opcode stands on requests and responses only", arguments: FrameType.allCases)
    func opcodes(type: FrameType) {
        let isAllowed = type == .request || type == .response
        #expect(code(bytes(type: type.rawValue, opcode: 1)) == (isAllowed ? nil : .badFrame))
    }

    @Test("any 12 bytes are read or refused, and what is read is written as it was")
    func random() throws {
        let seed: UInt64 = 20_260_101
        var generator = SeededGenerator(seed: seed)
        var read = 0
        for round in 0..<20_000 {
            var header = generator.bytes(12)
            // Half of the rounds have a plausible length and type, else nothing would be read.
            if round % 2 == 0 {
                header[0] = 0
                header[1] &= 0x3F
                header[8] = header[8] % 13
                header[9] &= 1
                if round % 4 == 0 { (header[10], header[11]) = (0, 0) }
            }
            guard let parsed = try? parse(header) else { continue }
            read += 1
            var out: [UInt8] = []
            parsed.write(to: &out)
            #expect(out == header, "seed \(seed) round \(round)")
        }
        #expect(read > 2_000)
    }
}
