import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit
import Testing

@Suite("ProtobufReader")
struct ProtobufReaderTests {
    private func reader(_ bytes: [UInt8]) -> ProtobufReader {
        let source = MemoryModelSource(["f": bytes])
        let file = ModelSourceFile(path: "f", size: UInt64(bytes.count))
        return ProtobufReader(FileWindow(file, in: source, budget: 1 << 40))
    }

    /// Fields of all kinds in no order.
    private func fields(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var out: [UInt8] = []
        for _ in 0..<count {
            let number = UInt64.random(in: 1...3_000, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0:
                out += ProtobufBytes.field(
                    number, generator.bytes(Int.random(in: 0..<300, using: &generator)))
            case 1..<4:
                out += ProtobufBytes.varint(number << 3 | 1) + generator.bytes(8)
            case 4..<7:
                out += ProtobufBytes.varint(number << 3 | 5) + generator.bytes(4)
            default:
                let shift = UInt64.random(in: 0..<64, using: &generator)
                out += ProtobufBytes.field(number, generator.next() >> shift)
            }
        }
        return out
    }

    private func texts(_ bytes: [UInt8], skips: Bool) async throws -> [Range<UInt64>] {
        let reader = reader(bytes)
        var message = reader.root
        var found: [Range<UInt64>] = []
        while true {
            if skips { reader.skipNumbers(&message) }
            guard let field = try await reader.next(&message) else { return found }
            if case .bytes(let range) = field.value { found.append(range) }
        }
    }

    @Test("skipping numbers finds the same texts as reading them")
    func skipping() async throws {
        for seed in 0..<20 {
            let bytes = fields(2_000, seed: UInt64(seed))
            let read = try await texts(bytes, skips: false)
            #expect(!read.isEmpty)
            #expect(try await texts(bytes, skips: true) == read, "seed \(seed)")
        }
    }

    @Test("a message cut or damaged anywhere is an error or a message, never a trap")
    func damaged() async throws {
        let whole = fields(60, seed: 5)
        for length in 0..<whole.count {
            _ = try? await texts(Array(whole[..<length]), skips: length.isMultiple(of: 2))
        }
        var generator = SeededGenerator(seed: 6)
        var refused = 0
        for round in 0..<2_000 {
            var bytes = whole
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] =
                UInt8.random(in: 0...255, using: &generator)
            do {
                _ = try await texts(bytes, skips: round.isMultiple(of: 2))
            } catch let error as LinajeError {
                #expect(error.code == .invalidArgument)
                refused += 1
            }
        }
        #expect(refused > 0)
    }

    @Test("packed numbers are read like single ones, and too many are refused")
    func packed() async throws {
        let bytes = ProtobufBytes.field(1, [1, 0xac, 0x02, 3]) + ProtobufBytes.field(1, 7)
        let reader = reader(bytes)
        var message = reader.root
        var numbers: [UInt64] = []
        while let field = try await reader.next(&message) {
            numbers += try await reader.varints(field.value, limit: 3)
        }
        #expect(numbers == [1, 300, 3, 7])
        await #expect(throws: LinajeError.self) {
            var message = reader.root
            guard let field = try await reader.next(&message) else { return }
            _ = try await reader.varints(field.value, limit: 2)
        }
    }
}
