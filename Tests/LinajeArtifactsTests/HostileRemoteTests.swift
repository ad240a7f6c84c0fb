import LinajeDomain
import LinajePluginKit
import Synchronization
import Testing

@testable import LinajeArtifacts

/// A remote may say anything: it costs little memory and few requests, and changes nothing here.
@Suite("remotes that lie")
struct HostileRemoteTests {
    private let remote = MemoryBackend()

    private func exchange(
        _ action: RemoteAction, _ fixture: StoreFixture, with other: (any ArtifactBackend)? = nil,
        readingData: Bool = false
    ) async throws -> [RemoteProgress] {
        var out: [RemoteProgress] = []
        try await fixture.store.exchange(
            action, with: other ?? remote, readingData: readingData
        ) { out.append($0) }
        #expect(out.last?.isFinished == true)
        return out
    }

    private static func pack(_ blobs: [EncodedBlob]) throws -> SealedPack {
        var builder = PackBuilder()
        for blob in blobs { builder.append(blob) }
        return try builder.seal()
    }

    private static func encoded(_ key: BlobKey, _ content: [UInt8]) throws -> EncodedBlob {
        try #require(try BlobEncoding.encode([RawBlob(key: key, content: content)]).first)
    }

    private static func tree(_ content: [UInt8]) throws -> EncodedBlob {
        try encoded(BlobKey(.tree, ContentHasher.digest(content)), content)
    }

    /// A blob that is too long for one piece, stored as it is.
    private static func storedTree() -> EncodedBlob {
        let content = [UInt8](repeating: 7, count: Int(PackReading.groupBytes) + 1_000)
        let digest = ContentHasher.digest(content)
        return EncodedBlob(
            key: BlobKey(.tree, digest), codec: .stored, contentLength: UInt32(content.count),
            stored: content, check: BlobCheck(digest))
    }

    /// A recipe of 4.5 MiB.
    private static func longRecipe(size: UInt64 = 10 << 17, length: UInt32 = 10) -> [UInt8] {
        var list: [UInt8] = []
        Recipe.append(Recipe.Chunk(digest: ContentHasher.digest([1]), length: length), to: &list)
        for _ in 0..<17 { list += list }
        return Recipe.encode(size: size, list: list)
    }

    @Test("blobs that are too long for one piece arrive byte for byte, in pieces")
    func longBlobs() async throws {
        let recipe = BlobKey(.recipe, ContentHasher.digest([2]))
        let chunk = BlobKey(.chunk, ContentHasher.digest([1, 2, 3]))
        let pack = try Self.pack([
            Self.encoded(chunk, [1, 2, 3]), Self.storedTree(),
            // Content that takes more than one turn to make.
            Self.tree([UInt8](repeating: 0, count: 33 << 20)),
            Self.encoded(recipe, Self.longRecipe()),
        ])
        #expect(pack.header.entries.map(\.codec) == [.stored, .stored, .zstd, .zstd])
        try await remote.write(pack)
        let watched = Watched(remote)
        let fixture = try await StoreFixture()
        let pulled = try await exchange(.pull, fixture, with: watched)
        #expect(pulled.compactMap(\.finding) == [])
        #expect(pulled.last?.copied.packs == 1)
        #expect(watched.longest == PackReading.groupBytes)
        let copy = try await fixture.backend.get(pack.name.key, range: 0..<pack.size)
        let isSame = copy == pack.body + pack.tail
        #expect(isSame)
        let read = try await exchange(.status, fixture, with: watched, readingData: true)
        #expect(read.compactMap(\.finding) == [])
        #expect(watched.longest == PackReading.groupBytes)
    }

    enum Lie: String, CaseIterable {
        case check = "is not stored as it was written"
        case key = "does not match its digest"
        case trailing = "is not exactly one zstd frame"
        case cut = "does not yield its 5242880 bytes"
        case length = "does not declare its 5242881 bytes"
        case noFrame = "is no zstd frame"
        case codec = "has codec 2, which only chunks have"
        case total = "has chunks of 1310720 bytes, not 7"
        case bounds = "holds a chunk out of bounds"
        case recipe = "does not match its own digest"
        case noRecipe = "cannot be read"
    }

    private static func blob(_ lie: Lie) throws -> EncodedBlob {
        let recipe = BlobKey(.recipe, ContentHasher.digest([2]))
        var blob: EncodedBlob
        switch lie {
        case .check, .key: blob = storedTree()
        case .total: return try encoded(recipe, longRecipe(size: 7))
        case .bounds: return try encoded(recipe, longRecipe(length: 2 << 20))
        case .recipe:
            var content = longRecipe()
            content[content.count - 1] ^= 1
            return try encoded(recipe, content)
        case .noRecipe: return try encoded(recipe, [UInt8](repeating: 0, count: 5 << 20))
        case .trailing, .cut, .length, .noFrame, .codec:
            blob = try tree([UInt8](repeating: 0, count: 5 << 20))
        }
        switch lie {
        case .check: blob.check = BlobCheck(ContentHasher.digest([9]))
        case .key: blob.key.digest = ContentHasher.digest([9])
        case .trailing: blob.stored.append(0)
        case .cut: blob.stored.removeLast()
        case .length: blob.contentLength += 1
        case .noFrame: blob.stored[0] ^= 1
        case .codec: blob.codec = .planes2
        default: break
        }
        if lie != .check { blob.check = BlobCheck(ContentHasher.digest(blob.stored)) }
        return blob
    }

    @Test(
        "a long blob that is not what it should be is named, and nothing stays",
        arguments: Lie.allCases)
    func lyingBlobs(_ lie: Lie) async throws {
        let pack = try Self.pack([Self.blob(lie)])
        try await remote.write(pack)
        let fixture = try await StoreFixture()
        let findings = try await exchange(.pull, fixture).compactMap(\.finding)
        #expect(findings.count == 1)
        let text = findings.first ?? ""
        #expect(text.contains(pack.name.key) && text.contains(lie.rawValue), "\(text)")
        #expect(try await fixture.packs() == [])
        #expect(try await fixture.store.index.packs().isEmpty)
    }

    @Test("a remote that gives less than it lists is found out")
    func shortAnswers() async throws {
        let pack = try Self.pack([Self.storedTree()])
        try await remote.write(pack)
        let fixture = try await StoreFixture()
        let short = Watched(remote, most: 1 << 20)
        let findings = try await exchange(.pull, fixture, with: short).compactMap(\.finding)
        #expect(findings.count == 1)
        #expect(findings.first?.contains("\(pack.name.key): gives 1048576 bytes") == true)
        #expect(try await fixture.packs() == [])
    }

    @Test("a check reads a long blob in pieces, and names it when it is wrong")
    func longBlobsInChecks() async throws {
        let content = [UInt8](repeating: 7, count: 65 << 20)
        let digest = ContentHasher.digest(content)
        for check in [digest, ContentHasher.digest([1])] {
            let blob = EncodedBlob(
                key: BlobKey(.tree, digest), codec: .stored,
                contentLength: UInt32(content.count), stored: content, check: BlobCheck(check))
            let pack = try Self.pack([blob, Self.encoded(BlobKey(.chunk, digest), [7])])
            try await remote.write(pack)
            let watched = Watched(remote)
            let store = try await StoreFixture().store
            let verifier = PackVerifier(
                backend: watched, index: store.index,
                reader: BlobReader(backend: watched, index: store.index, pool: store.pool),
                pool: store.pool)
            var read: UInt64 = 0
            let found = try await verifier.verify(pack.name, size: pack.size) { read += $0 }
            // The chunk is one of another digest.
            let chunk = BlobKey(.chunk, digest)
            let wrong = check == digest ? [chunk] : [blob.key, chunk]
            #expect(found.damages.map(\.blob) == wrong)
            #expect(found.blobs == 2 - wrong.count)
            #expect(read == UInt64(content.count) + 1)
            #expect(watched.longest == PackReading.groupBytes)
        }
    }

    @Test("of any number of damaged packs so many are looked at and named, and the rest counted")
    func manyDamages() async throws {
        let most = RemoteComparison.mostDamages
        for number in 0..<most + 20 {
            let bytes = withUnsafeBytes(of: number) { Array($0) }
            let writer = try await remote.put(PackName(ContentHasher.digest(bytes)).key)
            try await writer.write([UInt8](repeating: 0, count: 100))
            try await writer.commit()
        }
        let fixture = try await StoreFixture()
        _ = try await fixture.ingest([("f", [1, 2, 3])])
        let own = try await fixture.packs()
        let watched = Watched(remote)
        let status = try await exchange(.status, fixture, with: watched)
        #expect(status.count { $0.finding != nil } == most)
        #expect(status.last?.missingHere.packs == UInt64(most + 20))
        // Once for what their blobs are, once for whether they are missed.
        #expect(watched.gets <= 2 * most)
        let pulled = try await exchange(.pull, fixture).compactMap(\.finding)
        #expect(pulled.count == most + 1)
        #expect(pulled.last?.hasPrefix("20 further packs") == true)
        #expect(try await fixture.packs() == own)
    }

    @Test("what is wrong in a pack of a remote is one finding, however many blobs it has")
    func manyBlobs() async throws {
        let blobs = try (0..<50 as Range<UInt8>).map { number in
            var blob = try Self.encoded(
                BlobKey(.chunk, ContentHasher.digest([number])), [number])
            blob.check = BlobCheck(ContentHasher.digest([number, number]))
            return blob
        }
        let pack = try Self.pack(blobs)
        try await remote.write(pack)
        let fixture = try await StoreFixture()
        let found = try await exchange(.status, fixture, readingData: true)
            .filter { $0.finding != nil }
        #expect(found.map(\.pack) == [pack.name.key])
        #expect(found.first?.finding?.contains("\(blobs[0].key)") == true)
    }
}

/// Sees how much is asked for, and may give less.
private final class Watched: ArtifactBackend {
    private let base: any ArtifactBackend
    private let most: UInt64
    private let seen = Mutex((gets: 0, longest: UInt64(0)))

    init(_ base: any ArtifactBackend, most: UInt64 = .max) {
        self.base = base
        self.most = most
    }

    var descriptor: PluginDescriptor { base.descriptor }
    var properties: ArtifactBackendProperties { base.properties }
    var gets: Int { seen.withLock { $0.gets } }
    /// Bytes of the longest range.
    var longest: UInt64 { seen.withLock { $0.longest } }

    func put(_ key: String) async throws -> any ArtifactWriter { try await base.put(key) }

    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        let length = range.upperBound - range.lowerBound
        seen.withLock {
            $0.gets += 1
            $0.longest = max($0.longest, length)
        }
        return try await base.get(
            key, range: range.lowerBound..<range.lowerBound + min(length, most))
    }

    func stat(_ key: String) async throws -> UInt64? { try await base.stat(key) }

    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await base.list(prefix: prefix)
    }

    func remove(_ key: String) async throws { try await base.remove(key) }
}
