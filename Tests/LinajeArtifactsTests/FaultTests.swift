import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("A backend that fails") struct FaultTests {
    struct Faulty {
        let fixture: StoreFixture
        let backend: FaultyBackend

        init() async throws {
            var faulty: FaultyBackend?
            fixture = try await StoreFixture { base in
                let backend = FaultyBackend(base)
                faulty = backend
                return backend
            }
            backend = try #require(faulty)
        }
    }

    private static let full = LinajeError(.storageFull, "disk is full")
    private static let failed = LinajeError(.storageFailed, "cannot fsync")

    @Test(
        "a full disk fails the sessions of that pack, all of them, and no others",
        arguments: [FaultyBackend.Step.put, .write, .commit])
    func full(step: FaultyBackend.Step) async throws {
        let faulty = try await Faulty()
        let store = faulty.fixture.store
        let (first, second) = (IngestID.random(), IngestID.random())
        for id in [first, second] {
            try await store.beginIngest(id)
            try await faulty.fixture.put(id, "a", Array("\(id)".utf8))
        }
        // This one adds nothing: all that it needs is in the pack already.
        let third = IngestID.random()
        try await store.beginIngest(third)
        let same = try await faulty.fixture.put(third, "a", Array("\(first)".utf8))
        #expect(same.newBytes == 0)
        faulty.backend.fail(step, with: FaultTests.full)
        #expect(await code { _ = try await store.prepareTree(first) } == .storageFull)
        #expect(await code { _ = try await store.prepareTree(third) } == .storageFull)
        #expect(await code { _ = try await store.prepareTree(second) } == .storageFull)
        #expect(await code { try await faulty.fixture.put(second, "b", [1]) } == .storageFull)
        #expect(await code { _ = try await store.prepareTree(first) } == .storageFull)
        #expect(try await faulty.fixture.packs().isEmpty)
        #expect(try await store.statistics() == ArtifactStatistics())
        #expect(await store.failure == nil)

        // The same content again: nothing of the lost pack is taken for stored.
        let tree = try await faulty.fixture.ingest([("a", Array("\(first)".utf8))])
        let after = try await faulty.fixture.reopened().store
        try await after.requireComplete(tree.digest)
        #expect(
            try await after.read(ContentHasher.digest(Array("\(first)".utf8)), range: nil).collect()
                == Array("\(first)".utf8))
    }

    @Test("a disk that fills in the middle of a file fails the file's session")
    func fullInTheMiddle() async throws {
        let faulty = try await Faulty()
        let store = faulty.fixture.store
        let id = IngestID.random()
        try await store.beginIngest(id)
        faulty.backend.fail(.write, with: nil, FaultTests.full)
        let bytes = SplitMix64.bytes(seed: 31, count: 40 << 20)
        let result = await code {
            try await faulty.fixture.put(id, "a", bytes, piece: 1 << 20)
            _ = try await store.prepareTree(id)
        }
        #expect(result == .storageFull)
        #expect(await code { _ = try await store.prepareTree(id) } == .storageFull)
        let again = IngestID.random()
        try await store.beginIngest(again)
        let file = try await faulty.fixture.put(again, "a", bytes, piece: 1 << 20)
        #expect(file.newBytes < 40 << 20, "the first pack was not lost")
        let tree = try await store.prepareTree(again)
        try await faulty.fixture.reopened().store.requireComplete(tree.digest)
    }

    @Test("after a failed fsync nothing is accepted any more, but everything is still read")
    func failedForGood() async throws {
        let faulty = try await Faulty()
        let store = faulty.fixture.store
        let tree = try await faulty.fixture.ingest([("a", [1, 2, 3])])
        let open = IngestID.random()
        try await store.beginIngest(open)
        let file = try await store.openFile(
            open, path: TreePath("b"), mode: .file, size: nil, sha256: nil)
        faulty.backend.fail(.commit, with: FaultTests.failed)
        #expect(await code { _ = try await faulty.fixture.ingest([("a", [4])]) } == .storageFailed)
        #expect(await store.failure?.code == .storageFailed)
        #expect(await code { try await store.beginIngest(.random()) } == .storageFailed)
        #expect(await code { try await faulty.fixture.put(open, "c", [5]) } == .storageFailed)
        try await file.append([6])
        #expect(await code { _ = try await file.finish() } == .storageFailed)
        #expect(await code { _ = try await store.prepareTree(open) } == .storageFailed)
        let other = try Tree([])
        #expect(await code { _ = try await store.storeTree(other) } == .storageFailed)
        #expect(try await store.tree(tree.digest).entries.count == 1)
        #expect(
            try await store.read(ContentHasher.digest([1, 2, 3]), range: nil).collect() == [
                1, 2, 3,
            ])
    }

    @Test("an index that cannot be written makes nothing visible")
    func index() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let file = try await fixture.put(id, "a", [1, 2, 3])
        _ = try await fixture.sql.write {
            try $0.execute("ALTER TABLE artifact_packs RENAME TO away")
        }
        await #expect(throws: LinajeError.self) { try await fixture.store.prepareTree(id) }
        _ = try await fixture.sql.write {
            try $0.execute("ALTER TABLE away RENAME TO artifact_packs")
        }
        #expect(
            await code { _ = try await fixture.store.read(file.entry.sha256, range: nil) }
                == .notFound)
        #expect(try await fixture.ingest([("a", [1, 2, 3])]).files == 1)
    }

    @Test("what comes while a pack is written shares the next pack")
    func groupCommit() async throws {
        let faulty = try await Faulty()
        let index = ChunkIndex(sql: faulty.fixture.sql)
        let sink = PackSink(backend: faulty.backend, index: index)
        func append(_ byte: UInt8) async throws -> Set<PackTicket> {
            let key = BlobKey(.chunk, ContentHasher.digest([byte]))
            return try await sink.append(
                try BlobEncoding.encode([RawBlob(key: key, content: [byte])])
            ).tickets
        }
        faulty.backend.gate.close()
        let first = try await append(0)
        async let written: Void = sink.flush(first)
        await faulty.backend.gate.someoneWaits()
        var others: Set<PackTicket> = []
        for byte in 1..<8 as Range<UInt8> { others.formUnion(try await append(byte)) }
        #expect(others.count == 1)
        #expect(others.isDisjoint(with: first))
        #expect(try await append(0) == first, "known although it is only on its way")
        let shared = others
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<7 { group.addTask { try await sink.flush(shared) } }
            faulty.backend.gate.open()
            try await group.waitForAll()
        }
        try await written
        #expect(try await faulty.fixture.packs().count == 2)
        #expect(try await index.statistics().chunks == 8)
    }

    @Test("a read that the backend refuses is that error, and the next read is right")
    func get() async throws {
        let faulty = try await Faulty()
        _ = try await faulty.fixture.ingest([("a", [1, 2, 3])])
        let unavailable = LinajeError(.unavailable, "try again")
        faulty.backend.fail(.get, with: unavailable)
        let file = ContentHasher.digest([1, 2, 3])
        #expect(
            await code { _ = try await faulty.fixture.store.read(file, range: nil) } == .unavailable
        )
        #expect(try await faulty.fixture.store.read(file, range: nil).collect() == [1, 2, 3])
    }
}
