import Foundation
import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import Testing

/// Ten thousand files that deceive scanners, made from a seed by `Fixtures/make_hostile.py`: names taken
/// and calls made in every way that pickle has, what hides them, and the containers around them.
@Suite("hostile files")
struct HostileFileTests {
    private static let count = 10_000
    private static let seed = 20_260_101

    @Test("none of ten thousand hostile files is called safe")
    func hostile() async throws {
        let directory = try TemporaryDirectory()
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures").path
        let path = "\(directory.path)/hostile"
        _ = try await TestPython.runAside([
            "\(fixtures)/make_hostile.py", path, "\(Self.count)", "\(Self.seed)",
        ])
        var files = ByteCursor(
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))), name: path)
        var kinds: [String: Int] = [:]
        var verdicts: [ScanVerdict: Int] = [:]
        while !files.isAtEnd {
            let kind = try files.text(UInt64(try files.uint16()))
            let name = try files.text(UInt64(try files.uint16()))
            let bytes = Array(try files.take(Int(try files.uint32())))
            let found = try await scan(bytes, as: name)
            kinds[kind, default: 0] += 1
            await Task.yield()
            let verdict = try #require(
                found?.verdict, "file \(kinds.values.reduce(0, +)), \(kind), is not looked into")
            verdicts[verdict, default: 0] += 1
            #expect(verdict != .safe, "file \(kinds.values.reduce(0, +)), \(kind) \(name)")
        }
        #expect(kinds.values.reduce(0, +) == Self.count)
        #expect(kinds.count == 23)
        #expect(kinds.values.allSatisfy { $0 >= 50 }, "\(kinds)")
        // Most of it is denied by name, not only strange.
        #expect(verdicts[.dangerous, default: 0] > Self.count * 85 / 100, "\(verdicts)")
    }
}
