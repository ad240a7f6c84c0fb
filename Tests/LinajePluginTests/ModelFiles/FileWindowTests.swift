import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit
import Testing

@Suite("FileWindow")
struct FileWindowTests {
    private static let content: [UInt8] = {
        var generator = SeededGenerator(seed: 3)
        return generator.bytes(300_000)
    }()

    private func window(
        _ content: [UInt8] = FileWindowTests.content, size: UInt64? = nil, budget: UInt64 = 1 << 40
    ) -> (FileWindow, MemoryModelSource) {
        let source = MemoryModelSource(["f": content], sizes: size.map { ["f": $0] } ?? [:])
        let file = ModelSourceFile(path: "f", size: size ?? UInt64(content.count))
        return (FileWindow(file, in: source, budget: budget), source)
    }

    @Test("any ranges in any order are the bytes of the file")
    func ranges() async throws {
        let (window, _) = window()
        var generator = SeededGenerator(seed: 9)
        var next = 0
        for round in 0..<2_000 {
            let start =
                round.isMultiple(of: 3) ? Int.random(in: 0..<300_000, using: &generator) : next
            let count = min(Int.random(in: 0..<9_000, using: &generator), 300_000 - start)
            let bytes = try await window.bytes(UInt64(start), count)
            #expect(bytes == Array(Self.content[start..<(start + count)]))
            next = start + count < 300_000 ? start + count : 0
        }
    }

    @Test("numbers stand with their lowest byte first")
    func numbers() async throws {
        let (window, _) = window([1, 2, 3, 4, 5, 6, 7, 0xff])
        #expect(try await window.number(0, width: 1) == 1)
        #expect(try await window.number(1, width: 2) == 0x0302)
        #expect(try await window.number(0, width: 8) == 0xff07_0605_0403_0201)
    }

    @Test("straight reading takes few reads, a jump a small one")
    func blocks() async throws {
        let (window, source) = window()
        for place in stride(from: UInt64(0), to: 300_000, by: 100) {
            try await window.load(place, 100)
        }
        #expect(source.reads.count <= 9)
        let (other, jumps) = self.window(size: 1 << 40)
        for place in 1...50 { try await other.load(UInt64(place) << 30, 10) }
        #expect(jumps.reads.bytes == 50 * 4_096)
    }

    @Test("what is past the end, too long at once or past the budget is refused")
    func refusals() async throws {
        let (window, _) = window(budget: 100_000)
        for (offset, count) in [(300_000, 1), (299_999, 2), (0, 300_001)] as [(UInt64, Int)] {
            let error = await #expect(throws: LinajeError.self) {
                try await window.load(offset, count)
            }
            #expect(error?.code == .invalidArgument)
        }
        let overflow = await #expect(throws: LinajeError.self) {
            try await window.load(.max, 2)
        }
        #expect(overflow?.code == .invalidArgument)
        let (long, _) = self.window(size: 1 << 40)
        let tooLong = await #expect(throws: LinajeError.self) {
            try await long.load(0, FileWindow.mostAtOnce + 1)
        }
        #expect(tooLong?.code == .invalidArgument)
        try await window.load(0, 60_000)
        let spent = await #expect(throws: LinajeError.self) {
            try await window.load(200_000, 60_000)
        }
        #expect(spent?.code == .limitExceeded)
    }

    @Test("a source that gives fewer bytes than the file has is refused")
    func shortSource() async throws {
        let source = MemoryModelSource(["f": [1, 2, 3]])
        let window = FileWindow(
            ModelSourceFile(path: "f", size: 10), in: source, budget: 1 << 20)
        let error = await #expect(throws: LinajeError.self) { try await window.load(0, 5) }
        #expect(error?.code == .invalidArgument)
    }
}
