import FilesystemStorage
import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("pushing to a remote and pulling from it")
struct RemoteTests {
    private let folder: TemporaryFolder
    private let remote: FilesystemStorage

    init() throws {
        folder = try TemporaryFolder()
        remote = FilesystemStorage(root: folder.path + "/remote")
    }

    private static let files: [(path: String, bytes: [UInt8])] = [
        ("model/weights.bin", SplitMix64.bytes(seed: 1, count: 3 << 20)),
        ("model/config.json", Array("{}".utf8)),
    ]

    /// Does it and gives all that was reported.
    @discardableResult
    private func exchange(
        _ action: RemoteAction, _ fixture: StoreFixture, readingData: Bool = false
    ) async throws -> [RemoteProgress] {
        var out: [RemoteProgress] = []
        try await fixture.store.exchange(action, with: remote, readingData: readingData) {
            out.append($0)
        }
        #expect(out.last?.isFinished == true)
        return out
    }

    private func remotePath(_ key: String) -> String { "\(folder.path)/remote/\(key)" }

    @Test("a store that is lost comes back from its remote, byte by byte")
    func lost() async throws {
        let first = try await StoreFixture()
        let tree = try await first.ingest(Self.files)
        let pushed = try await exchange(.push, first)
        #expect(pushed.last?.copied.packs == UInt64(try await first.packs().count))
        let second = try await StoreFixture()
        #expect(await code { _ = try await second.store.tree(tree.digest) } == .notFound)
        try await exchange(.pull, second)
        try await second.store.requireComplete(tree.digest)
        for entry in try await second.store.tree(tree.digest).entries {
            let bytes = try await second.store.read(entry.sha256, range: nil).collect()
            let isSame = bytes == Self.files.first { $0.path == entry.path.text }?.bytes
            #expect(isSame, "\(entry.path.text)")
        }
        #expect(try await second.store.verify().damages.isEmpty)
    }

    @Test("a second push copies nothing; one after new content copies that alone")
    func again() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest(Self.files)
        try await exchange(.push, fixture)
        #expect(try await exchange(.push, fixture).last?.copied.packs == 0)
        _ = try await fixture.ingest([("other", SplitMix64.bytes(seed: 2, count: 100_000))])
        let last = try await exchange(.push, fixture).last
        #expect(last?.copied.packs == 1)
        #expect(last?.missingThere.packs == 1)
    }

    @Test("status says what the remote has now, not what was pushed once")
    func status() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest(Self.files)
        try await exchange(.push, fixture)
        #expect(try await exchange(.status, fixture).last?.missingThere.packs == 0)
        let key = try #require(try await remote.list(prefix: "packs/").first?.key)
        try await remote.remove(key)
        let last = try await exchange(.status, fixture).last
        #expect(last?.missingThere.packs == 1)
        #expect(last?.copied.packs == 0)
        #expect(
            try await remote.list(prefix: "packs/").count == (try await fixture.packs().count) - 1)
    }

    @Test("a damaged pack is not copied, is named, and keeps no other from it")
    func damaged() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest(Self.files)
        _ = try await fixture.ingest([("other", SplitMix64.bytes(seed: 3, count: 200_000))])
        try await exchange(.push, fixture)
        let keys = try await remote.list(prefix: "packs/")
        let largest = try #require(keys.max { $0.size < $1.size })
        var bytes = try #require(FileManager.default.contents(atPath: remotePath(largest.key)))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: remotePath(largest.key)))

        let reading = try await exchange(.status, fixture, readingData: true)
        #expect(Set(reading.filter { $0.finding != nil }.map(\.pack)) == [largest.key])

        let second = try await StoreFixture()
        let pulled = try await exchange(.pull, second)
        #expect(pulled.filter { $0.finding != nil }.map(\.pack) == [largest.key])
        #expect(pulled.last?.copied.packs == UInt64(keys.count - 1))
        #expect(try await second.packs().count == keys.count - 1)
        #expect(try await second.store.verify().damages.isEmpty)
    }

    @Test("a pack that was cut in the remote is pushed again")
    func cut() async throws {
        let fixture = try await StoreFixture()
        let tree = try await fixture.ingest(Self.files)
        try await exchange(.push, fixture)
        let key = try #require(try await remote.list(prefix: "packs/").first?.key)
        let bytes = try #require(FileManager.default.contents(atPath: remotePath(key)))
        try bytes.dropLast(10).write(to: URL(fileURLWithPath: remotePath(key)))
        #expect(try await exchange(.push, fixture).last?.copied.packs == 1)
        let second = try await StoreFixture()
        try await exchange(.pull, second)
        try await second.store.requireComplete(tree.digest)
    }

    @Test("content that the remote has in packs of other names is not missed")
    func sameContent() async throws {
        // The same files in one session and in two: the same blobs in other packs.
        let (one, two) = (try await StoreFixture(), try await StoreFixture())
        let tree = try await one.ingest(Self.files)
        let id = IngestID.random()
        try await two.store.beginIngest(id)
        for file in Self.files.reversed() {
            let part = IngestID.random()
            try await two.store.beginIngest(part)
            try await two.put(part, file.path, file.bytes)
            _ = try await two.store.prepareTree(part)
            try await two.put(id, file.path, file.bytes)
        }
        #expect(try await two.store.prepareTree(id).digest == tree.digest)
        #expect(try await Set(one.packs()).isDisjoint(with: two.packs()))
        try await exchange(.push, two)
        let last = try await exchange(.status, one).last
        #expect(last?.missingThere.packs == 0)
    }

    @Test("a push that is interrupted goes on where it was")
    func interrupted() async throws {
        let fixture = try await StoreFixture()
        for seed in 10..<13 {
            _ = try await fixture.ingest([
                ("f", SplitMix64.bytes(seed: UInt64(seed), count: 50_000))
            ])
        }
        let faulty = FaultyBackend(remote)
        faulty.fail(.commit, with: nil, LinajeError(.unavailable, "made by the test"))
        let error = await code {
            try await fixture.store.exchange(.push, with: faulty) { _ in }
        }
        #expect(error == .unavailable)
        #expect(try await remote.list(prefix: "packs/").count == 1)
        #expect(try await exchange(.push, fixture).last?.copied.packs == 2)
    }

    @Test("more exchanges than may be at a time are refused, and a later one goes")
    func tooMany() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest(Self.files)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let gates = (0..<Limits.remoteExchanges).map { _ in AsyncStream<Void>.makeStream() }
            let (begun, told) = AsyncStream<Void>.makeStream()
            for gate in gates {
                group.addTask {
                    try await fixture.store.exchange(.status, with: remote) {
                        guard !$0.isFinished else { return }
                        told.yield()
                        for await _ in gate.stream { return }
                    }
                }
            }
            var running = begun.makeAsyncIterator()
            for _ in gates { await running.next() }
            #expect(await code { _ = try await exchange(.status, fixture) } == .overloaded)
            for gate in gates { gate.continuation.yield() }
            try await group.waitForAll()
        }
        try await exchange(.status, fixture)
    }

    @Test("a pack that was collected while others were copied is passed over, not damaged")
    func collected() async throws {
        let fixture = try await StoreFixture()
        for seed in 20..<23 {
            _ = try await fixture.ingest([
                ("f", SplitMix64.bytes(seed: UInt64(seed), count: 50_000))
            ])
        }
        let last = try #require(try await fixture.backend.list(prefix: "packs/").last?.key)
        var findings = 0
        try await fixture.store.exchange(.push, with: remote) {
            findings += $0.finding == nil ? 0 : 1
            if $0.copied.packs == 1 { try await fixture.backend.remove(last) }
        }
        #expect(findings == 0)
        #expect(try await remote.list(prefix: "packs/").count == 2)
    }
}
