import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Memory") struct MemoryTests {
    @Test("a long file takes no more memory than a short one")
    func constant() async throws {
        let fixture = try await StoreFixture()
        let piece = SplitMix64.bytes(seed: 41, count: 1 << 20)
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let file = try await fixture.store.openFile(
            id, path: TreePath("weights"), mode: .file, size: nil, sha256: nil)
        var peak = 0
        var start = 0
        for number in 0..<192 as Range<UInt64> {
            // Different bytes in every piece, without the cost of making a megabyte of them.
            var bytes = piece
            for offset in stride(from: 0, to: bytes.count, by: 8_192) {
                withUnsafeBytes(of: number) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
            }
            try await file.append(bytes)
            if number == 64 { start = try residentBytes() }
            if number > 64 { peak = max(peak, try residentBytes()) }
        }
        let result = try await file.finish()
        #expect(result.entry.size == 192 << 20)
        #expect(result.newBytes > 180 << 20)
        #expect(try await fixture.store.prepareTree(id).size == 192 << 20)
        // The suites beside this one take memory too; 128 MiB more of the file went through.
        #expect(peak - start < 96 << 20, "grew by \((peak - start) >> 20) MiB")
    }

    private func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = try #require(Int(text.split(separator: " ")[1]))
        return pages * Int(getpagesize())
    }
}
