import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Verified reads") struct ReadTests {
    @Test("every range around every cut gives exactly those bytes")
    func ranges() async throws {
        let fixture = try await StoreFixture()
        let bytes = SplitMix64.bytes(seed: 11, count: 420_000)
        _ = try await fixture.ingest([("a", bytes)])
        let file = ContentHasher.digest(bytes)
        var cuts: [Int] = [0]
        var chunker = Chunker()
        bytes.withUnsafeBytes { all in
            var rest = all
            while let length = chunker.cut(rest) {
                cuts.append((cuts.last ?? 0) + length)
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
        }
        cuts.append(bytes.count)
        #expect(cuts.count > 4)
        let points = Set(cuts.flatMap { [$0 - 1, $0, $0 + 1] }).filter { $0 >= 0 }.sorted()
        for start in points where start <= bytes.count {
            for end in points where end >= start {
                let read = try await fixture.store.read(file, range: UInt64(start)..<UInt64(end))
                let expected = Array(bytes[start..<min(end, bytes.count)])
                #expect(try await read.collect() == expected, "\(start)..<\(end)")
                #expect(read.size == 420_000)
            }
        }
    }

    @Test("a range that begins after the file is refused, one that ends after it is cut")
    func outside() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest([("a", [1, 2, 3])])
        let file = ContentHasher.digest([1, 2, 3])
        func read(_ range: Range<UInt64>) async throws -> [UInt8] {
            try await fixture.store.read(file, range: range).collect()
        }
        #expect(try await read(1..<UInt64.max) == [2, 3])
        #expect(try await read(3..<9) == [])
        #expect(await code { _ = try await read(4..<9) } == .invalidArgument)
        #expect(
            await code { _ = try await fixture.store.read(ContentHasher.digest([]), range: nil) }
                == .notFound)
    }

    @Test("content that repeats itself comes back, in pieces of at most a megabyte")
    func repeating() async throws {
        let fixture = try await StoreFixture()
        let part = SplitMix64.bytes(seed: 12, count: 300_000)
        let bytes = part + [UInt8](repeating: 0, count: 3_000_000) + part
        _ = try await fixture.ingest([("a", bytes)])
        var out: [UInt8] = []
        for try await piece in try await fixture.store.read(ContentHasher.digest(bytes), range: nil)
        {
            #expect(!piece.isEmpty && piece.count <= Chunker.maximum)
            out += piece
        }
        #expect(out == bytes)
    }

    @Test("a recipe that leads to another file's chunks never serves a whole file")
    func swappedRecipe() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest([("a", [1, 2, 3])])
        _ = try await fixture.ingest([("b", [4, 5, 6])])
        let (a, b) = (ContentHasher.digest([1, 2, 3]), ContentHasher.digest([4, 5, 6]))
        // The index says that b's recipe is a's.
        try await fixture.sql.write { connection in
            let row = try connection.first(
                "SELECT pack, blob_offset FROM chunk_index WHERE kind = 2 AND digest = ?",
                [.blob(b.bytes)], { (try $0.int(0), try $0.int(1)) })
            let (pack, offset) = try #require(row)
            try connection.execute(
                "UPDATE chunk_index SET pack = ?, blob_offset = ? WHERE kind = 2 AND digest = ?",
                [.integer(pack), .integer(offset), .blob(a.bytes)])
        }
        let store = try await fixture.reopened().store
        for range in [nil, 0..<1, 0..<3] as [Range<UInt64>?] {
            #expect(await code { _ = try await store.read(a, range: range).collect() } == .corrupt)
        }
    }

    @Test("a long file is fetched ahead, in order, and all before a chunk that is gone is given")
    func ahead() async throws {
        let fixture = try await StoreFixture()
        // Some of it is stored as it is, some in planes, some compressed.
        var bytes = SplitMix64.bytes(seed: 15, count: 6 << 20)
        bytes += (0..<(1 << 18)).flatMap { index in
            withUnsafeBytes(of: Float(index % 977) * 0.37) { Array($0) }
        }
        bytes += Array(String(repeating: "a line of text\n", count: 300_000).utf8)
        _ = try await fixture.ingest([("a", bytes)])
        let file = ContentHasher.digest(bytes)
        for checksFile in [true, false] {
            let read = try await fixture.store.read(file, range: nil, checksFile: checksFile)
            #expect(try await read.collect() == bytes)
        }
        let (start, end) = (UInt64(1_234_567), UInt64(bytes.count - 777))
        let part = try await fixture.store.read(file, range: start..<end)
        #expect(try await part.collect() == Array(bytes[Int(start)..<Int(end)]))
        // A read that is let go in the middle leaves nothing that others wait for.
        for _ in 0..<40 {
            var pieces = try await fixture.store.read(file, range: nil).makeAsyncIterator()
            for _ in 0..<70 { _ = try await pieces.next() }
        }
        #expect(try await part.collect() == Array(bytes[Int(start)..<Int(end)]))

        let lost = try #require(
            try await fixture.sql.read { connection in
                try connection.first(
                    """
                    SELECT digest FROM chunk_index WHERE kind = 1 AND codec = 0
                    ORDER BY blob_offset DESC
                    """, []
                ) { try $0.blob(0) }
            })
        _ = try await fixture.sql.write { connection in
            try connection.execute(
                "DELETE FROM chunk_index WHERE kind = 1 AND digest = ?", [.blob(lost)])
        }
        let damaged = try await fixture.reopened()
        var got: [UInt8] = []
        let error = await #expect(throws: LinajeError.self) {
            for try await piece in try await damaged.store.read(file, range: nil) { got += piece }
        }
        #expect(error?.code == .incomplete)
        #expect(got == Array(bytes.prefix(got.count)))
        #expect(got.count < bytes.count)
    }

    @Test("small files are read many at a time: empty ones, equal ones, ones of several chunks")
    func small() async throws {
        let fixture = try await StoreFixture()
        var files: [(String, [UInt8])] = [("empty", []), ("void", [])]
        for number in 0..<500 as Range<UInt64> {
            let size = number % 25 == 0 ? 120_000 : Int(number) * 7
            files.append(("f\(number)", SplitMix64.bytes(seed: number / 2, count: size)))
        }
        files.append(("text", Array(repeating: 0x61, count: 100_000)))
        let tree = try await fixture.store.tree(try await fixture.ingest(files).digest)
        let contents = Dictionary(uniqueKeysWithValues: files)
        func read(_ store: ArtifactStore) async throws -> [Int: [UInt8]] {
            var got: [Int: [UInt8]] = [:]
            try await store.readSmall(tree.entries.enumerated().map { ($0.offset, $0.element) }) {
                for file in $0 {
                    #expect(got.updateValue(file.value, forKey: file.number) == nil)
                }
            }
            return got
        }
        let got = try await read(fixture.store)
        #expect(got.count == tree.entries.count)
        for (number, content) in got {
            #expect(content == contents[tree.entries[number].path.text])
        }
        // A byte of a pack that is flipped is never given.
        let key = try #require(try await fixture.packs().first)
        var pack = try #require(FileManager.default.contents(atPath: fixture.path(key)))
        pack[5_000] ^= 1
        try pack.write(to: URL(fileURLWithPath: fixture.path(key)))
        #expect(await code { _ = try await read(try await fixture.reopened().store) } == .corrupt)
    }

    @Test("requireComplete names the file whose recipe, chunk or pack is gone")
    func complete() async throws {
        let fixture = try await StoreFixture()
        let bytes = SplitMix64.bytes(seed: 13, count: 600_000)
        let tree = try await fixture.ingest([("good", [1]), ("bad", bytes)])
        try await fixture.store.requireComplete(tree.digest)
        #expect(
            await code { try await fixture.store.requireComplete(ContentHasher.digest([])) }
                == .notFound)
        func expectIncomplete(_ store: ArtifactStore, _ path: String) async {
            let error = await #expect(throws: LinajeError.self) {
                try await store.requireComplete(tree.digest)
            }
            #expect(error?.code == .incomplete)
            #expect(error?.details["path"] == path)
        }
        func withoutRow(kind: Int64, _ digest: SHA256Digest) async throws {
            let damaged = try await fixture.reopened()
            _ = try await damaged.sql.write { connection in
                try connection.execute(
                    "DELETE FROM chunk_index WHERE kind = ? AND digest = ?",
                    [.integer(kind), .blob(digest.bytes)])
            }
            await expectIncomplete(damaged.store, "bad")
            #expect(try await damaged.store.rebuildIndex().damages.isEmpty)
            try await damaged.store.requireComplete(tree.digest)
        }
        try await withoutRow(kind: 2, ContentHasher.digest(bytes))
        let last = try await fixture.sql.read { connection in
            try connection.first(
                "SELECT digest FROM chunk_index WHERE kind = 1 ORDER BY content_length DESC", []
            ) { try $0.blob(0) }
        }
        let lastBytes = try #require(last)
        try await withoutRow(kind: 1, try #require(SHA256Digest(lastBytes)))

        // The tree stands in a later pack than the first file's content.
        let second = try await fixture.store.storeTree(
            try Tree(
                try await fixture.store.tree(tree.digest).entries.filter { $0.path.text == "bad" }))
        let after = try await fixture.reopened()
        _ = try await after.store.tree(second.digest)
        let read = try await after.store.read(ContentHasher.digest(bytes), range: nil)
        let packs = try await after.sql.read { connection in
            try connection.all(
                """
                SELECT DISTINCT p.name FROM chunk_index c JOIN artifact_packs p ON p.id = c.pack
                WHERE c.kind = 1
                """
            ) { try $0.blob(0) }
        }
        for name in packs {
            let digest = try #require(SHA256Digest(name))
            try await after.backend.remove(PackName(digest).key)
        }
        let error = await #expect(throws: LinajeError.self) {
            try await after.store.requireComplete(second.digest)
        }
        #expect(error?.code == .incomplete)
        #expect(await code { _ = try await read.collect() } == .incomplete)
        #expect(try await after.store.verify().damages.contains { $0.finding.contains("gone") })
    }
}
