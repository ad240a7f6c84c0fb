import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

/// What is on disk is changed behind the store's back.
@Suite("Damaged packs") struct DamageTests {
    /// A store with one small pack: a compressed chunk, a stored one, their recipes, a tree.
    struct Sample {
        let fixture: StoreFixture
        let files: [[UInt8]]
        let tree: StoredTree
        let canonical: [UInt8]
        let pack: String
        let bytes: [UInt8]

        init() async throws {
            fixture = try await StoreFixture()
            files = [
                SplitMix64.bytes(seed: 21, count: 40),
                Array("linaje ".utf8) + [UInt8](repeating: 65, count: 400),
            ]
            tree = try await fixture.ingest([("stored", files[0]), ("compressed", files[1])])
            canonical = try await fixture.store.tree(tree.digest).canonical
            pack = try #require(try await fixture.packs().first)
            bytes = Array(try Data(contentsOf: URL(fileURLWithPath: fixture.path(pack))))
        }

        func write(_ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: fixture.path(pack)))
        }

        /// How many reads of `errors` were refused.
        func refusals(_ what: String) async throws -> Int { try await errors(what).count }

        /// Reads everything with a store that remembers nothing; why reads were refused. Records
        /// an issue for bytes that are served and wrong.
        func errors(_ what: String) async throws -> [LinajeError] {
            let store = try await fixture.reopened().store
            var refused: [LinajeError] = []
            func attempt(_ expected: [UInt8], _ read: () async throws -> [UInt8]) async {
                do {
                    #expect(try await read() == expected, "\(what): wrong bytes were served")
                } catch {
                    refused.append(LinajeError.any(error))
                    let code = (error as? LinajeError)?.code
                    #expect(
                        [.corrupt, .incomplete, .storeTooNew].contains(code), "\(what): \(error)")
                }
            }
            await attempt(canonical) { try await store.tree(tree.digest).canonical }
            for file in files {
                let digest = ContentHasher.digest(file)
                await attempt(file) { try await store.read(digest, range: nil).collect() }
                await attempt(Array(file[3..<20])) {
                    try await store.read(digest, range: 3..<20).collect()
                }
            }
            return refused
        }
    }

    @Test("a flipped bit in any byte of a pack is named, and nothing wrong is served")
    func everyByte() async throws {
        let sample = try await Sample()
        #expect(try await sample.refusals("undamaged") == 0)
        let verifier = try await sample.fixture.reopened().store
        #expect(try await verifier.verify().damages.isEmpty)
        let header = try headerOfSample(sample)
        let codecs = Set(header.entries.filter { $0.key.kind == .chunk }.map(\.codec))
        #expect(codecs == [.stored, .zstd])
        for index in sample.bytes.indices {
            var flipped = sample.bytes
            flipped[index] ^= 1 << (index % 8)
            try sample.write(flipped)
            let errors = try await sample.errors("byte \(index)")
            let report = try await verifier.verify()
            let hit = header.entries.first {
                index >= Int($0.offset) && index < Int($0.offset) + Int($0.storedLength)
            }
            #expect(report.damages.map(\.pack) == [sample.pack], "byte \(index)")
            #expect(report.damages.first?.blob == hit?.key, "byte \(index)")
            #expect(!errors.isEmpty, "byte \(index) was not noticed")
            for error in errors {
                #expect(error.code == .corrupt, "byte \(index): \(error)")
                #expect(error.message.contains(sample.pack), "byte \(index): \(error)")
                guard let blob = hit?.key else { continue }
                #expect(error.message.contains("\(blob)"), "byte \(index): \(error)")
            }
        }
        try sample.write(sample.bytes)
        #expect(try await sample.refusals("restored") == 0)
    }

    @Test("the golden pack is read through an index made of it, and every flip in it is named")
    func golden() async throws {
        let fixture = try await StoreFixture()
        let file = try vectors("packs")
        let vector = try #require((file["packs"] as? [[String: Any]])?.first)
        let key = try #require(vector["file"] as? String)
        let bytes = try hex(vector, "hex")
        let content = try hex(vector, "content")
        let writer = try await fixture.backend.put(key)
        try await writer.write(bytes)
        try await writer.commit()
        let report = try await fixture.store.rebuildIndex()
        #expect(report.damages.isEmpty)
        let entries = try #require(vector["entries"] as? [[String: Any]])
        #expect(report.blobs == entries.count)
        let read = try await fixture.store.read(ContentHasher.digest(content), range: nil)
        #expect(try await read.collect() == content)
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 1 << (7 - index % 8)
            try Data(flipped).write(to: URL(fileURLWithPath: fixture.path(key)))
            let damages = try await fixture.store.verify().damages
            #expect(damages.map(\.pack) == [key], "byte \(index)")
        }
    }

    @Test("a pack cut anywhere is named, and nothing wrong is served")
    func truncated() async throws {
        let sample = try await Sample()
        let verifier = try await sample.fixture.reopened().store
        for length in stride(from: 0, to: sample.bytes.count, by: 7) {
            try sample.write(Array(sample.bytes.prefix(length)))
            _ = try await sample.refusals("\(length) bytes")
            let report = try await verifier.verify()
            #expect(report.damages.contains { $0.pack == sample.pack }, "\(length) bytes")
            await #expect(throws: LinajeError.self, "\(length) bytes") {
                try await sample.fixture.reopened().store.requireComplete(sample.tree.digest)
            }
        }
    }

    @Test("two packs that changed places are both named, and neither is served as the other")
    func swapped() async throws {
        let sample = try await Sample()
        let other = try await sample.fixture.ingest([
            ("x", SplitMix64.bytes(seed: 23, count: 4_000))
        ])
        let packs = try await sample.fixture.packs()
        #expect(packs.count == 2)
        let contents = try packs.map {
            try Data(contentsOf: URL(fileURLWithPath: sample.fixture.path($0)))
        }
        for (key, content) in zip(packs, contents.reversed()) {
            try content.write(to: URL(fileURLWithPath: sample.fixture.path(key)))
        }
        #expect(try await sample.refusals("swapped") == 5)
        let store = try await sample.fixture.reopened().store
        #expect(await code { _ = try await store.tree(other.digest) } == .corrupt)
        #expect(Set(try await store.verify().damages.map(\.pack)) == Set(packs))
        let rebuilt = try await store.rebuildIndex()
        #expect(Set(rebuilt.damages.map(\.pack)) == Set(packs))
        #expect(await code { _ = try await store.tree(other.digest) } == .notFound)
    }

    @Test("a pack that is gone is named")
    func gone() async throws {
        let sample = try await Sample()
        try FileManager.default.removeItem(atPath: sample.fixture.path(sample.pack))
        #expect(try await sample.refusals("gone") == 5)
        let report = try await sample.fixture.store.verify()
        #expect(report.damages.map(\.pack) == [sample.pack])
    }

    @Test("files that are no packs are named and left alone")
    func strangers() async throws {
        let sample = try await Sample()
        let stranger = "packs/aa/notes.pack"
        try FileManager.default.createDirectory(
            atPath: sample.fixture.path("packs/aa"), withIntermediateDirectories: true)
        try Data([1]).write(to: URL(fileURLWithPath: sample.fixture.path(stranger)))
        #expect(try await sample.fixture.store.verify().damages.map(\.pack) == [stranger])
        let rebuilt = try await sample.fixture.store.rebuildIndex()
        #expect(rebuilt.damages.map(\.pack) == [stranger])
        #expect(try await sample.refusals("with a stranger") == 0)
    }

    @Test(
        "a chunk of an unknown codec, or of one that needs what is not there, is refused by name",
        arguments: [(12, LinajeError.Code.storeTooNew, "codec 12"), (5, .corrupt, "dictionary")])
    func strangeCodec(codec: Int, code: LinajeError.Code, text: String) async throws {
        let sample = try await Sample()
        _ = try await sample.fixture.sql.write { connection in
            try connection.execute("UPDATE chunk_index SET codec = \(codec) WHERE kind = 1")
        }
        let store = try await sample.fixture.reopened().store
        let error = await #expect(throws: LinajeError.self) {
            try await store.read(ContentHasher.digest(sample.files[0]), range: nil).collect()
        }
        #expect(error?.code == code)
        #expect(error?.message.contains(text) == true)
    }

    @Test("an index made anew from the packs equals the index")
    func rebuild() async throws {
        let fixture = try await StoreFixture()
        for seed in 1...3 as ClosedRange<UInt64> {
            _ = try await fixture.ingest([
                ("shared", SplitMix64.bytes(seed: 100, count: 200_000)),
                ("own", SplitMix64.bytes(seed: seed, count: 150_000)),
                ("zeros", [UInt8](repeating: 0, count: 300_000)),
            ])
        }
        func rows() async throws -> [String] {
            try await fixture.sql.read { connection in
                try connection.all(
                    """
                    SELECT c.kind, c.digest, p.name, c.blob_offset, c.stored_length,
                        c.content_length, c.codec, c.stored_check, p.size, p.chunks,
                        p.stored_bytes, p.content_bytes
                    FROM chunk_index c JOIN artifact_packs p ON p.id = c.pack
                    ORDER BY c.kind, c.digest
                    """
                ) { row in (0..<12).map { "\(row[$0])" }.joined(separator: " ") }
            }
        }
        let before = try await rows()
        let statistics = try await fixture.store.statistics()
        #expect(before.count > 10)
        #expect(statistics.contentBytes == 200_000 + 3 * 150_000 + 262_144 + 37_856)
        #expect(statistics.storedBytes < statistics.contentBytes)
        #expect(statistics.packs == 3)
        let report = try await fixture.store.rebuildIndex()
        #expect(report.damages.isEmpty)
        #expect(report.blobs == before.count)
        #expect(try await rows() == before)
        #expect(try await fixture.store.statistics() == statistics)
    }

    private func headerOfSample(_ sample: Sample) throws -> PackHeader {
        let size = UInt64(sample.bytes.count)
        let name = try #require(PackName(key: sample.pack))
        let trailer = try PackTrailer(Array(sample.bytes.suffix(48)), size: size, pack: name)
        let end = sample.bytes.count - 48
        return try PackHeader(
            Array(sample.bytes[(end - trailer.headerLength)..<end]), trailer: trailer, size: size,
            pack: name)
    }
}
