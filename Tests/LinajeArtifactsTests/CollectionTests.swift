import LinajeDomain
import LinajePluginKit
import Synchronization
import Testing

@testable import LinajeArtifacts

@Suite("Garbage collection")
struct CollectionTests {
    private let references = References()

    private func files(_ seed: UInt64, count: Int = 300_000) -> [(path: String, bytes: [UInt8])] {
        [("a", SplitMix64.bytes(seed: seed, count: count)), ("b", Array("b \(seed)".utf8))]
    }

    @Test("what is needed stays; what is not goes after two collections and the grace time")
    func basics() async throws {
        let fixture = try await StoreFixture()
        let (kept, doomed) = (files(1), files(2))
        let keptTree = try await fixture.ingest(kept)
        let doomedTree = try await fixture.ingest(doomed)
        references.add(keptTree.digest)
        let packs = try await fixture.packs()
        #expect(packs.count == 2)

        let first = try await fixture.collect(references)
        #expect(first.condemned > 2 && first.freedBytes == 0 && first.removedPacks == 0)
        #expect(try await fixture.reads(doomedTree.digest, doomed), "condemned content is read")
        fixture.clock.advance(by: .seconds(3_599))
        #expect(try await fixture.collect(references).removedPacks == 0)
        fixture.clock.advance(by: .seconds(2))
        let last = try await fixture.collect(references)
        #expect(last.removedPacks == 1 && last.rewrittenPacks == 0)
        #expect(last.freedBytes > 300_000 && last.waitingBytes == 0)
        #expect(try await fixture.packs().count == 1)
        #expect(try await fixture.reads(keptTree.digest, kept))
        #expect(
            await code { _ = try await fixture.store.tree(doomedTree.digest) } == .notFound)
        #expect(try await fixture.check(references).sum.findings == 0)
    }

    @Test("a dry run says what a collection does, and does nothing")
    func dryRun() async throws {
        let fixture = try await StoreFixture()
        let tree = try await fixture.ingest(files(1))
        references.add(try await fixture.ingest(files(2)).digest)
        let verdicts = Mutex<[TreeVerdict]>([])
        let told = try await GarbageCollector(store: fixture.store, roots: references).collect(
            CollectionOptions(isDryRun: true, explains: true)
        ) { news in
            if case .tree(let verdict) = news { verdicts.withLock { $0.append(verdict) } }
        }
        let condemned = try await fixture.collect(references)
        #expect(told.condemned == condemned.condemned)
        #expect(told.condemnedBytes == condemned.condemnedBytes)
        let found = verdicts.withLock { $0 }
        #expect(found.filter(\.isKept).map(\.digest) == references.all)
        let freed = try #require(found.first { !$0.isKept })
        #expect(freed.digest == tree.digest && freed.files == 2 && freed.size == tree.size)
        #expect(freed.freed == told.condemnedBytes)
        fixture.clock.advance(by: .seconds(7_200))
        let would = try await fixture.collect(references, dryRun: true)
        #expect(would.freedBytes == condemned.condemnedBytes)
        #expect(try await fixture.packs().count == 2)
    }

    @Test("a half-empty pack is packed anew, and what was in it is read as before")
    func repacking() async throws {
        let fixture = try await StoreFixture()
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        let big = SplitMix64.bytes(seed: 5, count: 900_000)
        let small = SplitMix64.bytes(seed: 6, count: 200_000)
        try await fixture.put(id, "big", big)
        try await fixture.put(id, "small", small)
        let both = try await fixture.store.prepareTree(id)
        await fixture.store.endIngest(id)
        let entry = try #require(
            try await fixture.store.tree(both.digest).entry(at: TreePath("small")))
        let part = try await fixture.store.keepingUsed {
            let part = try await fixture.store.storeTree(try Tree([entry]))
            references.add(part.digest)
            return part
        }
        try await fixture.collect(references)
        fixture.clock.advance(by: .seconds(7_200))
        // A read that began before goes on after its pack is gone.
        var reading = try await fixture.store.read(entry.sha256, range: nil).makeAsyncIterator()
        var read = try #require(try await reading.next())
        let sum = try await fixture.collect(references)
        #expect(sum.rewrittenPacks == 1 && sum.freedBytes > 800_000)
        while let piece = try await reading.next() { read += piece }
        #expect(read == small)
        #expect(try await fixture.reads(part.digest, [("small", small)]))
        #expect(try await fixture.check(references).sum.findings == 0)
        let statistics = try await fixture.store.statistics()
        #expect(statistics.contentBytes == 200_000)
        // And the packs alone still say everything.
        #expect(try await fixture.store.rebuildIndex().damages.isEmpty)
        #expect(try await fixture.reads(part.digest, [("small", small)]))
    }

    @Test("whoever finds a tree in the very transaction that condemns it gets it back")
    func lateNote() async throws {
        let fixture = try await StoreFixture()
        let content = files(4)
        let tree = try await fixture.ingest(content)
        let uses = fixture.store.uses
        let use = uses.begin()
        // The writer has noted it and still reads the index as it was before the transaction.
        let references = References(whileCondemning: { uses.note(.tree, [$0]) })
        try await fixture.collect(references)
        let condemned = try await fixture.store.index.present(.tree, [tree.digest])
        #expect(condemned == [tree.digest: false])
        use.end()
    }

    @Test("putting condemned content again keeps it")
    func rescue() async throws {
        let fixture = try await StoreFixture()
        let content = files(3)
        _ = try await fixture.ingest(content)
        #expect(try await fixture.collect(references).condemned > 0)
        let again = try await fixture.reopened()
        let tree = try await again.ingest(content)
        references.add(tree.digest)
        #expect(try await again.packs().count == 1, "nothing is stored twice")
        fixture.clock.advance(by: .seconds(7_200))
        let sum = try await again.collect(references)
        #expect(sum.removedPacks == 0 && sum.waitingBytes == 0)
        #expect(try await again.reads(tree.digest, content))
    }

    @Test("what an open session has put or found is not condemned")
    func openSession() async throws {
        let fixture = try await StoreFixture()
        let content = files(4)
        _ = try await fixture.ingest(content)
        let id = IngestID.random()
        let other = try await fixture.reopened()
        try await other.store.beginIngest(id)
        for (path, bytes) in content { try await other.put(id, path, bytes) }
        for _ in 0..<3 {
            try await other.collect(references, grace: .zero)
            fixture.clock.advance(by: .seconds(60))
        }
        let tree = try await other.store.prepareTree(id)
        references.add(tree.digest)
        await other.store.endIngest(id)
        for _ in 0..<2 { try await other.collect(references, grace: .zero) }
        #expect(try await other.reads(tree.digest, content))
    }

    @Test("content that is removed and put again at once is stored again")
    func again() async throws {
        let fixture = try await StoreFixture()
        let content = files(7, count: 100)
        _ = try await fixture.ingest(content)
        for _ in 0..<2 { try await fixture.collect(references, grace: .zero) }
        #expect(try await fixture.packs().isEmpty)
        // The store that remembers having written it.
        let tree = try await fixture.ingest(content)
        references.add(tree.digest)
        #expect(try await fixture.reads(tree.digest, content))
        #expect(try await fixture.check(references).sum.findings == 0)
    }

    @Test("a tree that was read before it was removed is not taken for stored")
    func caches() async throws {
        let fixture = try await StoreFixture()
        let tree = try await fixture.ingest([("empty", [])])
        _ = try await fixture.store.tree(tree.digest)
        for _ in 0..<2 { try await fixture.collect(references, grace: .zero) }
        let failure = await code { try await fixture.store.requireComplete(tree.digest) }
        #expect(failure == .notFound)
    }

    @Test("undo gives back all that is condemned")
    func undo() async throws {
        let fixture = try await StoreFixture()
        let content = files(8)
        let tree = try await fixture.ingest(content)
        let sum = try await fixture.collect(references)
        let trees = Mutex<[SHA256Digest]>([])
        let saved = try await GarbageCollector(store: fixture.store, roots: references).undo {
            page in trees.withLock { $0 += page }
        }
        #expect(saved.blobs == sum.condemned && saved.bytes == sum.condemnedBytes)
        #expect(trees.withLock { $0 } == [tree.digest])
        fixture.clock.advance(by: .seconds(7_200))
        #expect(try await fixture.collect(references).removedPacks == 0)
        #expect(try await fixture.reads(tree.digest, content))
    }

    @Test("nothing is collected while needed content is damaged or lost")
    func damage() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest(files(9))
        references.add(ContentHasher.digest(Array("lost".utf8)))
        #expect(await code { try await fixture.collect(references) } == .failedPrecondition)
        let sum = try await fixture.collect(references, acceptingLosses: true)
        #expect(sum.condemned > 0 && sum.findings.count == 1)
        // The files of a data set may be elsewhere.
        let others = References()
        others.add(ContentHasher.digest(Array("elsewhere".utf8)), isOurs: false)
        #expect(try await fixture.collect(others).findings.isEmpty)
        let pack = try #require(try await fixture.packs().first)
        try await fixture.backend.remove(pack)
        #expect(await code { try await fixture.collect(others) } == .failedPrecondition)
    }

    @Test("a file of a data set is kept by its own digest")
    func datasetFile() async throws {
        let fixture = try await StoreFixture()
        let bytes = SplitMix64.bytes(seed: 11, count: 5_000)
        _ = try await fixture.ingest([("data.csv", bytes)])
        let file = ContentHasher.digest(bytes)
        references.add(file, isOurs: false)
        for _ in 0..<3 { try await fixture.collect(references, grace: .zero) }
        let store = try await fixture.reopened().store
        #expect(try await store.read(file, range: nil).collect() == bytes)
    }

    @Test("a tree that somebody downloads is kept for an hour")
    func download() async throws {
        let fixture = try await StoreFixture()
        let content = files(12)
        let tree = try await fixture.ingest(content)
        fixture.store.lease([tree.digest])
        for _ in 0..<2 { try await fixture.collect(references, grace: .zero) }
        #expect(try await fixture.reads(tree.digest, content))
        fixture.clock.advance(by: .seconds(3_601))
        for _ in 0..<2 { try await fixture.collect(references, grace: .zero) }
        #expect(try await fixture.packs().isEmpty)
    }

    @Test("a daemon that dies at any step of collections loses nothing and can go on")
    func death() async throws {
        var step = 0
        while true {
            let life = Life()
            let fixture = try await StoreFixture(observer: { _ in try life.step() })
            let references = References()
            let content = files(20)
            let tree = try await fixture.ingest(content)
            _ = try await fixture.ingest(files(21))
            references.add(tree.digest)
            life.begin(steps: step)
            let hasDied: Bool
            do {
                for _ in 0..<2 { try await fixture.collect(references, grace: .zero) }
                hasDied = false
            } catch is Life.Over {
                hasDied = true
            }
            let next = try await fixture.reopened()
            #expect(try await next.reads(tree.digest, content), "step \(step)")
            for _ in 0..<2 { try await next.collect(references, grace: .zero) }
            #expect(try await next.packs().count == 1, "step \(step)")
            #expect(try await next.check(references).sum.findings == 0, "step \(step)")
            guard hasDied else { break }
            step += 1
        }
        #expect(step >= 10)
    }
}

/// A daemon that dies after some steps.
private final class Life: Sendable {
    struct Over: Error {}

    private let left = Mutex<Int?>(nil)

    func begin(steps: Int) { left.withLock { $0 = steps } }

    func step() throws {
        try left.withLock { left in
            guard let steps = left else { return }
            guard steps > 0 else { throw Over() }
            left = steps - 1
        }
    }
}

@Suite("What a collection must keep")
struct BlobFilterTests {
    private func key(_ number: UInt64) -> BlobKey {
        BlobKey(.chunk, ContentHasher.digest(Array("\(number)".utf8)))
    }

    @Test(
        "a filter never forgets, and seldom claims what it was not given",
        arguments: [0, 20_000])
    func filter(expected: Int) throws {
        var filter = BlobFilter(expecting: expected, maximumBytes: 1 << 20, salt: 7)
        for number in 0..<20_000 { filter.insert(key(UInt64(number))) }
        #expect((0..<20_000).allSatisfy { filter.contains(key(UInt64($0))) })
        let wrong = (20_000..<40_000).count { filter.contains(key(UInt64($0))) }
        #expect(wrong < 200, "\(wrong) of 20,000")
        #expect(filter.bytes <= 1 << 20)
        #expect(!filter.contains(BlobKey(.tree, key(1).digest)))
    }

    @Test("a filter that is full keeps to its bytes and forgets nothing")
    func full() {
        var filter = BlobFilter(maximumBytes: 4_096)
        for number in 0..<20_000 { filter.insert(key(UInt64(number))) }
        #expect(filter.bytes <= 4_096)
        #expect((0..<20_000).allSatisfy { filter.contains(key(UInt64($0))) })
    }

    @Test("what a use has noted is known as long as the use lasts, whatever comes and goes")
    func uses() {
        let uses = BlobUses()
        let first = uses.begin()
        uses.note(.chunk, [key(1).digest])
        for round in 0..<20 {
            let other = uses.begin()
            uses.note(.chunk, [key(UInt64(100 + round)).digest])
            uses.hold()
            uses.release()
            #expect(uses.contains(key(1)) && uses.contains(key(UInt64(100 + round))))
            other.end()
        }
        first.end()
        uses.hold()
        #expect(!uses.contains(key(1)))
        let late = uses.begin()
        uses.note(.chunk, [key(2).digest])
        late.end()
        #expect(uses.contains(key(2)), "a collection is at work")
        uses.release()
        uses.hold()
        #expect(!uses.contains(key(2)))
        uses.release()
    }
}
