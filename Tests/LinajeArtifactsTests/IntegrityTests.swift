import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeArtifacts

@Suite("Checks and repairs")
struct IntegrityTests {
    private let references = References()

    /// Turns a bit of a pack over.
    private func flip(_ fixture: StoreFixture, _ pack: String, at offset: Int) throws {
        let url = URL(fileURLWithPath: fixture.path(pack))
        var bytes = try Data(contentsOf: url)
        bytes[bytes.startIndex + offset] ^= 1
        try bytes.write(to: url)
    }

    private func filled(_ fixture: StoreFixture) async throws -> (
        tree: StoredTree, files: [(path: String, bytes: [UInt8])], pack: String
    ) {
        let files: [(path: String, bytes: [UInt8])] = [
            ("a", SplitMix64.bytes(seed: 1, count: 200_000)),
            ("b", SplitMix64.bytes(seed: 2, count: 3_000)),
        ]
        let tree = try await fixture.ingest(files)
        references.add(tree.digest)
        return (tree, files, try #require(try await fixture.packs().first))
    }

    @Test("a store in which nothing is wrong is said to be right, quickly and by every byte")
    func good() async throws {
        let fixture = try await StoreFixture()
        _ = try await filled(fixture)
        let quick = try await fixture.check(references, CheckOptions())
        #expect(quick.findings.isEmpty && quick.sum.packs == 1 && quick.sum.roots == 1)
        let whole = try await fixture.check(references)
        #expect(whole.findings.isEmpty && whole.sum.blobs >= 5)
        #expect(whole.sum.bytes == whole.sum.totalBytes && whole.sum.bytes > 203_000)
        let repaired = try await fixture.check(
            references, CheckOptions(readsData: true, repairs: true, rebuildsIndex: true))
        #expect(repaired.findings.isEmpty)
        #expect(try await fixture.packs().count == 1)
    }

    @Test("a pack with one bad chunk goes to quarantine, and the rest of it is saved")
    func badChunk() async throws {
        let fixture = try await StoreFixture()
        let (tree, files, pack) = try await filled(fixture)
        try flip(fixture, pack, at: 100)
        #expect(try await fixture.check(references, CheckOptions()).findings.isEmpty)
        let seen = try await fixture.check(references).findings
        #expect(seen.count == 1 && seen[0].object == pack && !seen[0].isRepaired)

        let options = CheckOptions(readsData: true, repairs: true)
        let found = try await fixture.check(references, options).findings
        #expect(found.contains { $0.object == pack && $0.repair.contains("quarantine/") })
        #expect(found.contains { $0.finding.contains("is lost, and in no other pack") })
        #expect(found.contains { $0.tree == tree.digest }, "the tree that lacks it is named")
        let kept = try await fixture.backend.list(prefix: "quarantine/").map(\.key)
        #expect(kept == ["quarantine/" + pack.dropFirst("packs/".count)])
        #expect(try await !fixture.packs().contains(pack))
        let store = try await fixture.reopened().store
        let other = ContentHasher.digest(files[1].bytes)
        #expect(try await store.read(other, range: nil).collect() == files[1].bytes)
        // The same files again make it whole.
        let again = try await fixture.reopened()
        _ = try await again.ingest(files)
        #expect(try await again.reads(tree.digest, files))
        #expect(try await again.check(references).findings.isEmpty)
    }

    @Test("what is bad in one pack is taken from another that has it")
    func secondCopy() async throws {
        let fixture = try await StoreFixture()
        let (tree, files, pack) = try await filled(fixture)
        // Another store writes the same content to the same place: the index knows one of them.
        let folder = try await StoreFixture()
        _ = try await folder.ingest(files + [("c", Array("more".utf8))])
        let copy = try #require(try await folder.packs().first)
        let bytes = try await folder.backend.get(copy, range: 0..<1 << 30)
        let writer = try await fixture.backend.put(copy)
        try await writer.write(bytes)
        try await writer.commit()
        let entered = try await fixture.check(
            references, CheckOptions(repairs: true))
        #expect(entered.findings.map(\.isRepaired) == [true])
        try flip(fixture, pack, at: 5_000)
        let options = CheckOptions(readsData: true, repairs: true)
        let found = try await fixture.check(references, options).findings
        #expect(found.contains { $0.repair == "found again in \(copy)" && $0.isRepaired })
        #expect(!found.contains { $0.tree != nil })
        #expect(try await fixture.reads(tree.digest, files))
        #expect(try await fixture.check(references).findings.isEmpty)
    }

    @Test("what is bad in one pack is taken from another in which something else is bad")
    func secondCopyInAHurtPack() async throws {
        let fixture = try await StoreFixture()
        let (tree, files, pack) = try await filled(fixture)
        let folder = try await StoreFixture()
        let more = SplitMix64.bytes(seed: 3, count: 4_000)
        _ = try await folder.ingest(files + [("c", more)])
        let copy = try #require(try await folder.packs().first)
        let bytes = try await folder.backend.get(copy, range: 0..<1 << 30)
        let writer = try await fixture.backend.put(copy)
        try await writer.write(bytes)
        try await writer.commit()
        _ = try await fixture.check(references, CheckOptions(repairs: true))
        try flip(fixture, pack, at: 5_000)
        let place = try #require(Data(bytes).range(of: Data(more))).lowerBound
        try flip(fixture, copy, at: place + 7)
        let options = CheckOptions(readsData: true, repairs: true)
        let found = try await fixture.check(references, options).findings
        #expect(found.contains { $0.repair.hasPrefix("found again in") && $0.isRepaired })
        #expect(!found.contains { $0.tree != nil })
        #expect(try await fixture.reads(tree.digest, files))
        #expect(try await fixture.check(references).findings.isEmpty)
    }

    @Test("a pack whose first bytes or trailer are bad is written anew, and nothing is lost")
    func frames() async throws {
        for place in [0, -1, -40, -60] {
            let fixture = try await StoreFixture()
            let references = References()
            let files = [("a", SplitMix64.bytes(seed: 1, count: 100_000))]
            let tree = try await fixture.ingest(files)
            references.add(tree.digest)
            let pack = try #require(try await fixture.packs().first)
            let size = Int(try #require(try await fixture.backend.stat(pack)))
            try flip(fixture, pack, at: place < 0 ? size + place : place)
            let quick = CheckOptions()
            #expect(try await fixture.check(references, quick).findings.count >= 1, "\(place)")
            _ = try await fixture.check(references, CheckOptions(repairs: true))
            #expect(try await fixture.check(references).findings.isEmpty, "\(place)")
            #expect(try await fixture.reads(tree.digest, files), "\(place)")
            #expect(try await fixture.packs() == [pack])
            #expect(try await fixture.backend.list(prefix: "quarantine/").count == 1)
        }
    }

    @Test("an index that lacks packs or blobs is made right from the packs")
    func index() async throws {
        let fixture = try await StoreFixture()
        let (tree, files, pack) = try await filled(fixture)
        for damage in [
            "DELETE FROM chunk_index WHERE kind = 1",
            "UPDATE chunk_index SET blob_offset = blob_offset + 1 WHERE kind = 2",
            "UPDATE artifact_packs SET size = size + 1", "DELETE FROM chunk_index",
        ] {
            _ = try await fixture.sql.write { try $0.execute(damage) }
            let found = try await fixture.check(references, CheckOptions()).findings
            #expect(found.contains { $0.object == pack }, "\(damage)")
            _ = try await fixture.check(references, CheckOptions(repairs: true))
            #expect(try await fixture.check(references).findings.isEmpty, "\(damage)")
            #expect(try await fixture.reads(tree.digest, files), "\(damage)")
        }
        _ = try await fixture.sql.write { connection in
            try connection.execute("DELETE FROM chunk_index")
            try connection.execute("DELETE FROM artifact_packs")
        }
        let rebuilt = try await fixture.check(references, CheckOptions(rebuildsIndex: true))
        #expect(rebuilt.findings.isEmpty)
        #expect(try await fixture.reads(tree.digest, files))
    }

    @Test("a pack that is gone is named with the trees that need it, and can be put again")
    func gone() async throws {
        let fixture = try await StoreFixture()
        let (tree, files, pack) = try await filled(fixture)
        try await fixture.backend.remove(pack)
        let found = try await fixture.check(references, CheckOptions()).findings
        #expect(found.contains { $0.object == pack && $0.finding == "the pack is gone" })
        #expect(found.contains { $0.tree == tree.digest })
        _ = try await fixture.check(references, CheckOptions(repairs: true))
        let again = try await fixture.reopened()
        _ = try await again.ingest(files)
        #expect(try await again.reads(tree.digest, files))
        #expect(try await again.check(references).findings.isEmpty)
    }

    @Test("a scrub goes on where it was, and keeps to its rate")
    func scrub() async throws {
        let fixture = try await StoreFixture()
        for seed in 0..<3 {
            _ = try await fixture.ingest([
                ("f", SplitMix64.bytes(seed: UInt64(seed), count: 50_000))
            ])
        }
        let check = ArtifactCheck(store: fixture.store, roots: references)
        var passed: [PackName] = []
        let started = ContinuousClock.now
        let sum = try await check.scrub(
            after: nil, bytesPerSecond: 1_000_000,
            passed: { pack, _ in passed.append(pack) }, report: { _ in })
        #expect(started.duration(to: .now) >= .milliseconds(140))
        #expect(passed.count == 3 && sum.blobs >= 9)
        var rest: [PackName] = []
        _ = try await check.scrub(
            after: passed[0], bytesPerSecond: nil,
            passed: { pack, _ in rest.append(pack) }, report: { _ in })
        #expect(rest == Array(passed[1...]))
    }

    @Test("how a task went is kept over a restart")
    func records() async throws {
        let fixture = try await StoreFixture()
        var record = UpkeepRecord(
            task: "scrub", begunAt: fixture.clock.now(), bytes: 5, totalBytes: 9, findings: 1,
            message: "", place: "packs/ab")
        try await fixture.store.record(record)
        record.endedAt = fixture.clock.now()
        try await fixture.store.record(record)
        #expect(try await fixture.reopened().store.upkeepRecords() == [record])
    }
}
