import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeArtifacts

@Suite("Many small files in one batch")
struct SmallFileTests {
    private let references = References()

    /// Configurations that differ in a few numbers, as those of many runs do.
    static func alike(_ count: Int, seed: UInt64 = 1) -> [(path: String, bytes: [UInt8])] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { number in
            let layers = (0..<12).map { layer in
                """
                  {"name": "encoder.layer.\(layer)", "type": "TransformerBlock", "dropout": 0.1,
                   "heads": \(generator.next() % 16), "activation": "gelu", "seed": \(generator.next())}
                """
            }
            let text = """
                {"run": "\(generator.next())", "optimizer": {"name": "adamw", "lr": 0.\(number + 1),
                 "betas": [0.9, 0.999], "weight_decay": 0.01}, "layers": [
                \(layers.joined(separator: ",\n"))
                ]}
                """
            return ("runs/\(number).json", Array(text.utf8))
        }
    }

    private func put(
        _ files: [(path: String, bytes: [UInt8])], in fixture: StoreFixture, batch: Int = 400
    ) async throws -> StoredTree {
        let id = IngestID.random()
        try await fixture.store.beginIngest(id)
        for start in stride(from: 0, to: files.count, by: batch) {
            _ = try await fixture.store.putFiles(
                id,
                try files[start..<min(start + batch, files.count)].map {
                    WholeFile(
                        path: try TreePath($0.path), mode: .file, content: $0.bytes,
                        sha256: ContentHasher.digest($0.bytes))
                })
        }
        let tree = try await fixture.store.prepareTree(id)
        await fixture.store.endIngest(id)
        references.add(tree.digest)
        return tree
    }

    private func entries(_ fixture: StoreFixture) async throws -> [PackEntry] {
        var out: [PackEntry] = []
        for key in try await fixture.packs() {
            let name = try #require(PackName(key: key))
            out += try await fixture.store.reader.header(of: name).entries
        }
        return out
    }

    @Test("that are alike share a dictionary, take a third of the room, and are read as they were")
    func alike() async throws {
        let files = Self.alike(1_000)
        let alone = try await StoreFixture()
        _ = try await alone.ingest(files)
        let together = try await StoreFixture()
        let tree = try await put(files, in: together)
        func stored(_ fixture: StoreFixture) async throws -> UInt64 {
            try await entries(fixture)
                .filter { [.chunk, .dictionary].contains($0.key.kind) }
                .reduce(0) { $0 + UInt64($1.storedLength) }
        }
        let (before, after) = (try await stored(alone), try await stored(together))
        #expect(after < before / 2, "\(after) bytes, and \(before) without a dictionary")
        let found = try await entries(together)
        #expect(found.count { $0.key.kind == .dictionary } == 1)
        #expect(found.count { $0.codec == .dictionary } >= 990)
        #expect(try await together.reads(tree.digest, files))
        #expect(try await together.check(references).sum.findings == 0)
        #expect(try await together.store.verify().damages.isEmpty)
    }

    @Test("keep their dictionary from pack to pack while it serves, and then get another")
    func renewed() throws {
        let dictionaries = SmallFileDictionaries()
        let session = IngestID.random()
        func dictionary(_ contents: [[UInt8]]) throws -> SHA256Digest {
            let blobs = contents.map {
                RawBlob(key: BlobKey(.chunk, ContentHasher.digest($0)), content: $0)
            }
            return try #require(try dictionaries.dictionary(for: blobs, of: session)).digest
        }
        let first = try dictionary(Self.alike(200).map(\.bytes))
        let others = Self.alike(200, seed: 2).map(\.bytes)
        let times = 2 * PackBuilder.targetBytes / others.reduce(0) { $0 + $1.count }
        for _ in 0...times { #expect(try dictionary(others) == first) }
        // As different as they can be, but alike among themselves.
        let different = Self.alike(200, seed: 3).map { $0.bytes.reversed() as [UInt8] }
        let found = Set(try (0...times).map { _ in try dictionary(different) })
        #expect(found.count == 2 && found.contains(first))
    }

    @Test("that have nothing in common, or are few, are stored without one")
    func unlike() async throws {
        let fixture = try await StoreFixture()
        var generator = SplitMix64(seed: 3)
        let noise = (0..<200).map { number in
            ("n\(number)", SplitMix64.bytes(seed: generator.next(), count: 2_000))
        }
        let tree = try await put(noise, in: fixture)
        let few = Self.alike(20)
        let other = try await put(few, in: fixture)
        #expect(try await !entries(fixture).contains { $0.key.kind == .dictionary })
        #expect(try await fixture.reads(tree.digest, noise))
        #expect(try await fixture.reads(other.digest, few))
    }

    @Test("keep their dictionary when their pack is packed anew")
    func repacking() async throws {
        let fixture = try await StoreFixture()
        let files = Self.alike(600)
        let whole = try await put(files, in: fixture)
        let kept = Array(files.prefix(100))
        let part = try await put(kept, in: fixture)
        references.remove(whole.digest)
        _ = try await fixture.collect(references)
        fixture.clock.advance(by: .seconds(7_200))
        let sum = try await fixture.collect(references)
        #expect(sum.rewrittenPacks == 1)
        let found = try await entries(fixture)
        #expect(found.count { $0.key.kind == .dictionary } == 1)
        #expect(found.count { $0.codec == .dictionary } == 100)
        #expect(try await fixture.reads(part.digest, kept))
        #expect(try await fixture.check(references).sum.findings == 0)
    }

    @Test("are found again when the index is made anew, and come back from a remote")
    func moved() async throws {
        let fixture = try await StoreFixture()
        let files = Self.alike(300)
        let tree = try await put(files, in: fixture)
        let options = CheckOptions(readsData: true, repairs: true, rebuildsIndex: true)
        #expect(try await fixture.check(references, options).findings.isEmpty)
        #expect(try await fixture.reads(tree.digest, files))
        let other = try await StoreFixture()
        try await other.store.exchange(.pull, with: fixture.backend) { _ in }
        #expect(try await other.reads(tree.digest, files))
        // Nothing is missing anywhere: a dictionary is no content of its own.
        var last: RemoteProgress?
        try await other.store.exchange(.status, with: fixture.backend) { last = $0 }
        #expect(last?.missingHere.packs == 0 && last?.missingThere.packs == 0)
        _ = try await other.store.reconcile()
        #expect(try await other.reads(tree.digest, files))
    }

    @Test(
        "whose dictionary is damaged are named, lost no other file, and are made whole by a second put"
    )
    func damaged() async throws {
        let fixture = try await StoreFixture()
        let files = Self.alike(300)
        let big = ("big", SplitMix64.bytes(seed: 9, count: 100_000))
        let tree = try await put(files + [big], in: fixture)
        let pack = try #require(try await fixture.packs().first)
        let name = try #require(PackName(key: pack))
        let header = try await fixture.store.reader.header(of: name)
        let dictionary = try #require(header.entries.first { $0.key.kind == .dictionary })
        let url = URL(fileURLWithPath: fixture.path(pack))
        var bytes = try Data(contentsOf: url)
        bytes[bytes.startIndex + Int(dictionary.offset) + 40] ^= 4
        try bytes.write(to: url)

        let fresh = try await fixture.reopened()
        let small = ContentHasher.digest(files[7].bytes)
        #expect(
            await code { _ = try await fresh.store.read(small, range: nil).collect() } == .corrupt)
        let found = try await fresh.check(references).findings
        #expect(found.contains { $0.finding.contains("dictionary \(dictionary.key.digest)") })
        #expect(found.contains { $0.finding.contains("lacks the dictionary") })
        _ = try await fresh.check(references, CheckOptions(readsData: true, repairs: true))
        let repaired = try await fixture.reopened()
        #expect(
            try await repaired.store.read(ContentHasher.digest(big.1), range: nil).collect()
                == big.1)
        _ = try await put(files + [big], in: repaired)
        #expect(try await repaired.reads(tree.digest, files + [big]))
        #expect(try await repaired.check(references).sum.findings == 0)
    }

    @Test("a damaged chunk beside a sound dictionary loses that chunk alone")
    func oneLost() async throws {
        let fixture = try await StoreFixture()
        let files = Self.alike(300)
        _ = try await put(files, in: fixture)
        let pack = try #require(try await fixture.packs().first)
        let header = try await fixture.store.reader.header(of: #require(PackName(key: pack)))
        let victim = try #require(
            header.entries.filter { $0.codec == .dictionary }.dropFirst(5).first)
        let url = URL(fileURLWithPath: fixture.path(pack))
        var bytes = try Data(contentsOf: url)
        bytes[bytes.startIndex + Int(victim.offset) + 9] ^= 1
        try bytes.write(to: url)
        let fresh = try await fixture.reopened()
        _ = try await fresh.check(references, CheckOptions(readsData: true, repairs: true))
        let repaired = try await fixture.reopened()
        for file in files {
            let digest = ContentHasher.digest(file.bytes)
            guard digest != victim.key.digest else { continue }
            #expect(try await repaired.store.read(digest, range: nil).collect() == file.bytes)
        }
    }

    @Test("a frame that needs a dictionary is refused where none stands before it")
    func orphan() throws {
        let samples = Self.alike(300).map(\.bytes)
        let dictionary = try #require(try CompressionDictionary(madeOf: samples))
        let key = BlobKey(.chunk, ContentHasher.digest(samples[0]))
        let blob = try #require(
            try BlobEncoding.encode(
                [RawBlob(key: key, content: samples[0])], dictionary: dictionary
            ).first)
        #expect(blob.codec == .dictionary)
        let location = BlobLocation(
            key: key, pack: PackName(key.digest), offset: 8,
            storedLength: UInt32(blob.stored.count), contentLength: blob.contentLength,
            codec: blob.codec, check: blob.check)
        #expect(
            try BlobReader.content(blob.stored, at: location, dictionary: dictionary) == samples[0])
        let none = #expect(throws: LinajeError.self) {
            try BlobReader.content(blob.stored, at: location)
        }
        #expect(none?.code == .corrupt)
        // Another one is noticed by the digest of the content.
        let other = try #require(
            try CompressionDictionary(madeOf: Self.alike(300, seed: 8).map { $0.bytes.reversed() }))
        let wrong = #expect(throws: LinajeError.self) {
            try BlobReader.content(blob.stored, at: location, dictionary: other)
        }
        #expect(wrong?.code == .corrupt)
    }
}
