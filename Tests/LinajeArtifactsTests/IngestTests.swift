import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Ingest sessions") struct IngestTests {
    @Test("a tree comes back as it was put")
    func roundTrip() async throws {
        let fixture = try await StoreFixture()
        let big = SplitMix64.bytes(seed: 1, count: 900_000)
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let first = try await fixture.put(id, "model/weights.bin", big, piece: 10_007)
        try await fixture.put(id, "model/run.sh", Array("#!/bin/sh\n".utf8), mode: .executable)
        try await fixture.put(id, "latest", Array("model/weights.bin".utf8), mode: .link)
        try await fixture.put(id, "empty", [])
        #expect(first.entry.size == 900_000)
        #expect(first.entry.sha256 == ContentHasher.digest(big))
        #expect(first.newBytes == 900_000)
        #expect(first.chunks > 3)
        let stored = try await fixture.store.prepareTree(id)
        #expect(stored.files == 4)
        #expect(stored.size == 900_000 + 10 + 17)

        for store in [fixture.store, try await fixture.reopened().store] {
            let tree = try await store.tree(stored.digest)
            #expect(
                tree.entries.map(\.path.text) == [
                    "empty", "latest", "model/run.sh", "model/weights.bin",
                ])
            #expect(tree.entries.map(\.mode) == [.file, .link, .executable, .file])
            #expect(ContentHasher.digest(tree.canonical) == stored.digest)
            try await store.requireComplete(stored.digest)
            #expect(try await store.read(first.entry.sha256, range: nil).collect() == big)
            #expect(try await store.read(ContentHasher.digest([]), range: nil).collect() == [])
        }
    }

    @Test("nothing can be found before the tree is prepared")
    func invisible() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        let bytes = SplitMix64.bytes(seed: 2, count: 400_000)
        try await fixture.store.beginIngest(id)
        let file = try await fixture.put(id, "a", bytes)
        let digest = ContentHasher.digest(try Tree([file.entry]).canonical)
        #expect(await code { _ = try await fixture.store.tree(digest) } == .notFound)
        #expect(
            await code { _ = try await fixture.store.read(file.entry.sha256, range: nil) }
                == .notFound)
        #expect(try await fixture.store.statistics() == ArtifactStatistics())
        #expect(try await fixture.packs().isEmpty)

        #expect(try await fixture.store.prepareTree(id).digest == digest)
        #expect(try await fixture.store.tree(digest).entries == [file.entry])
        #expect(try await fixture.store.statistics().contentBytes == 400_000)
    }

    @Test("preparing a tree again gives the same tree and stores nothing")
    func idempotent() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        try await fixture.store.beginIngest(id)
        try await fixture.put(id, "a", [1, 2, 3])
        let first = try await fixture.store.prepareTree(id)
        let packs = try await fixture.packs()
        #expect(try await fixture.store.prepareTree(id) == first)
        #expect(try await fixture.packs() == packs)
        await fixture.store.endIngest(id)
        await fixture.store.endIngest(id)
        #expect(await code { _ = try await fixture.store.prepareTree(id) } == .notFound)
        #expect(await code { try await fixture.put(id, "b", [1]) } == .notFound)
    }

    @Test("an aborted session leaves nothing to find, and its end stops its files")
    func abort() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let done = try await fixture.put(id, "a", [1, 2, 3])
        let half = try await fixture.store.openFile(
            id, path: TreePath("b"), mode: .file, size: nil, sha256: nil)
        try await half.append([4, 5])
        await fixture.store.endIngest(id)
        #expect(await code { try await half.append([6]) } == .notFound)
        #expect(await code { _ = try await half.finish() } == .notFound)
        let digest = ContentHasher.digest(try Tree([done.entry]).canonical)
        #expect(await code { _ = try await fixture.store.tree(digest) } == .notFound)
        #expect(try await fixture.store.verify().damages.isEmpty)
    }

    @Test("the same content in two sessions at once is stored once", arguments: 1...4)
    func parallel(seed: UInt64) async throws {
        let fixture = try await StoreFixture()
        let bytes = SplitMix64.bytes(seed: seed, count: 3 << 20)
        let trees = try await withThrowingTaskGroup(of: (UInt64, StoredTree).self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let id = IngestID.random()
                    try await fixture.store.beginIngest(id)
                    let file = try await fixture.put(id, "weights", bytes)
                    return (file.newBytes, try await fixture.store.prepareTree(id))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(trees.map(\.1)).count == 1)
        #expect(trees.map(\.0).reduce(0, +) == UInt64(bytes.count), "seed \(seed)")
        #expect(try await fixture.store.statistics().contentBytes == UInt64(bytes.count))
        let verified = try await fixture.store.verify()
        #expect(verified.damages.isEmpty)
        let chunks = try await fixture.store.statistics().chunks
        #expect(verified.blobs == Int(chunks) + 2, "every chunk once, one recipe, one tree")
    }

    @Test("content of a session that died is found again by the next")
    func restart() async throws {
        let fixture = try await StoreFixture()
        let bytes = SplitMix64.bytes(seed: 5, count: 20 << 20)
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let first = try await fixture.put(id, "weights", bytes)
        // Somebody else's commit makes the open pack visible, this session's chunks with it.
        _ = try await fixture.ingest([("other", [1, 2, 3])])

        let after = try await fixture.reopened()
        #expect(await code { _ = try await after.store.prepareTree(id) } == .notFound)
        let digest = ContentHasher.digest(try Tree([first.entry]).canonical)
        #expect(await code { _ = try await after.store.tree(digest) } == .notFound)
        let again = IngestID.random()
        try await after.store.beginIngest(again)
        let second = try await after.put(again, "weights", bytes)
        #expect(second.entry == first.entry)
        #expect(second.newBytes == 0)
        #expect(try await after.store.prepareTree(again).digest == digest)
        #expect(try await after.store.read(second.entry.sha256, range: nil).collect() == bytes)
    }

    @Test("a pack without an entry in the index is harmless")
    func orphanPack() async throws {
        let fixture = try await StoreFixture()
        let tree = try await fixture.ingest([("a", [1, 2, 3])])
        try await fixture.sql.write { connection in
            try connection.execute("DELETE FROM chunk_index")
            try connection.execute("DELETE FROM artifact_packs")
        }
        let after = try await fixture.reopened()
        #expect(await code { _ = try await after.store.tree(tree.digest) } == .notFound)
        #expect(try await after.ingest([("a", [1, 2, 3])]) == tree)
        try await after.store.requireComplete(tree.digest)
        #expect(
            try await after.store.read(ContentHasher.digest([1, 2, 3]), range: nil).collect() == [
                1, 2, 3,
            ])
    }

    @Test("a path put again replaces the file")
    func replace() async throws {
        let fixture = try await StoreFixture()
        let tree = try await fixture.ingest([("a", [1]), ("b", [2]), ("a", [3, 4])])
        #expect(try await fixture.store.tree(tree.digest).entries.map(\.size) == [2, 1])
    }

    @Test("a file below a file makes no tree")
    func nesting() async throws {
        let fixture = try await StoreFixture()
        #expect(
            await code { _ = try await fixture.ingest([("a", [1]), ("a/b", [2])]) }
                == .invalidArgument)
    }

    @Test("a tree is not prepared while one of its files is on its way")
    func openFile() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let file = try await fixture.store.openFile(
            id, path: TreePath("a"), mode: .file, size: nil, sha256: nil)
        try await file.append([1])
        #expect(await code { _ = try await fixture.store.prepareTree(id) } == .failedPrecondition)
        await file.abort()
        #expect(await code { try await file.append([2]) } == .failedPrecondition)
        #expect(try await fixture.store.prepareTree(id).files == 0)
    }

    @Test("a file that somebody forgot does not hold up its session")
    func forgotten() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        do {
            let file = try await fixture.store.openFile(
                id, path: TreePath("a"), mode: .file, size: nil, sha256: nil)
            try await file.append([1])
        }
        #expect(try await fixture.store.prepareTree(id).files == 0)
    }

    @Test("another size than announced is incomplete, another digest corrupt")
    func announced() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        func put(_ bytes: [UInt8], size: UInt64?, sha256: SHA256Digest?) async -> LinajeError.Code?
        {
            await code {
                let file = try await fixture.store.openFile(
                    id, path: TreePath("a"), mode: .file, size: size, sha256: sha256)
                try await file.append(bytes)
                _ = try await file.finish()
            }
        }
        #expect(await put([1, 2], size: 3, sha256: nil) == .incomplete)
        #expect(await put([1, 2], size: 1, sha256: nil) == .incomplete)
        #expect(await put([1, 2], size: nil, sha256: ContentHasher.digest([1])) == .corrupt)
        #expect(try await fixture.store.prepareTree(id).files == 0)
        #expect(await put([1, 2], size: 2, sha256: ContentHasher.digest([1, 2])) == nil)
        #expect(try await fixture.store.prepareTree(id).files == 1)
    }

    @Test("the target of a link has at most 4,096 bytes, is not empty and holds no NUL")
    func links() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        func link(_ target: [UInt8]) async -> LinajeError.Code? {
            await code { try await fixture.put(id, "l", target, mode: .link) }
        }
        let longest = [UInt8](repeating: 97, count: Limits.linkTargetBytes)
        #expect(await link(longest) == nil)
        #expect(await link(longest + [97]) == .limitExceeded)
        #expect(await link([]) == .invalidArgument)
        #expect(await link([97, 0, 97]) == .invalidArgument)
        #expect(
            await code {
                _ = try await fixture.store.openFile(
                    id, path: TreePath("l"), mode: .link, size: 4_097, sha256: nil)
            } == .limitExceeded)
        #expect(
            await code {
                _ = try await fixture.store.openFile(
                    id, path: TreePath("f"), mode: .file, size: Limits.fileBytes + 1, sha256: nil)
            } == .limitExceeded)
    }

    @Test("no more sessions than allowed are open, and silence ends them")
    func lease() async throws {
        let fixture = try await StoreFixture()
        let silent = IngestID.random()
        try await fixture.store.beginIngest(silent)
        for _ in 1..<Limits.ingestSessions { try await fixture.store.beginIngest(.random()) }
        #expect(await code { try await fixture.store.beginIngest(.random()) } == .overloaded)
        try await fixture.store.beginIngest(silent)

        fixture.clock.advance(by: Limits.ingestLease)
        await fixture.store.expireIngests()
        try await fixture.put(silent, "a", [1])
        fixture.clock.advance(by: .seconds(1))
        await fixture.store.expireIngests()
        let busy = IngestID.random()
        try await fixture.store.beginIngest(busy)
        #expect(try await fixture.store.prepareTree(silent).files == 1)

        fixture.clock.advance(by: Limits.ingestLease)
        try await fixture.put(busy, "a", [1])
        fixture.clock.advance(by: .seconds(1))
        await fixture.store.expireIngests()
        #expect(await code { _ = try await fixture.store.prepareTree(silent) } == .notFound)
        #expect(try await fixture.store.prepareTree(busy).files == 1)
    }

    @Test("a tree of stored files can be stored by itself, one of unknown files not")
    func storeTree() async throws {
        let fixture = try await StoreFixture()
        let stored = try await fixture.ingest([("a", [1]), ("b/c", [2])])
        let tree = try await fixture.store.tree(stored.digest)
        let part = try tree.subtree(at: TreePath("b"))
        let partial = try await fixture.store.storeTree(part)
        #expect(partial.files == 1)
        let after = try await fixture.reopened().store
        #expect(try await after.tree(partial.digest) == part)
        try await after.requireComplete(partial.digest)
        #expect(try await after.storeTree(part) == partial)

        let unknown = TreeEntry(
            path: try TreePath("x"), mode: .file, size: 1, sha256: ContentHasher.digest([9]))
        let error = await #expect(throws: LinajeError.self) {
            try await after.storeTree(Tree(tree.entries + [unknown]))
        }
        #expect(error?.code == .incomplete)
        #expect(error?.message.contains("\"x\"") == true)
    }
}
