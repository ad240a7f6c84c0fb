import LinajeClient
import LinajeDomain
import Synchronization
import Testing

@Suite("Lists page by page") struct PagesTests {
    /// What comes of a list of `total` numbers whose pages have `extra` more than was asked for.
    private func list(_ total: Int, most: Int?, extra: Int) async throws -> (
        found: [Int], asked: [Int]
    ) {
        let daemon = try FakeDaemon { _, _ in .frames([]) }
        let client = try await LinajeClient.connect(to: daemon.socket)
        let asked = Mutex<[Int]>([])
        var found: [Int] = []
        try await client.eachPage(
            most: most,
            { page in
                asked.withLock { $0.append(page.limit) }
                let start = Int(page.token) ?? 0
                let end = min(total, start + page.limit + extra)
                return UnreadPage(
                    Paged(Array(start..<end), nextPageToken: end < total ? "\(end)" : ""))
            }, { found += $0 })
        await client.close()
        return (found, asked.withLock { $0 })
    }

    @Test(
        "every element comes once, as many as are wanted",
        arguments: [nil, 0, 1, 999, 1_000, 1_001, 2_345, 9_999])
    func whole(most: Int?) async throws {
        let (found, asked) = try await list(2_345, most: most, extra: 0)
        #expect(found == Array(0..<min(2_345, most ?? .max)))
        #expect(asked.allSatisfy { (1...Limits.pageEntries).contains($0) })
    }

    @Test(
        "a daemon that sends more than it was asked for ends nothing but the list",
        arguments: [1, 1_000, 1_005, 2_000])
    func tooMany(most: Int) async throws {
        let (found, asked) = try await list(5_000, most: most, extra: 200)
        #expect(found == Array(0..<most))
        #expect(asked.allSatisfy { (1...Limits.pageEntries).contains($0) })
    }
}
