import LinajeDomain
import LinajePluginKit

/// Puts one new pack in the place of old ones, with what is to be kept of them.
struct PackRewriter {
    /// What was done.
    struct Outcome {
        var packs: [PackName]
        /// Those of them of which something was left.
        var rewritten: Int
        /// Bytes of the new pack.
        var newSize: UInt64
    }

    /// Stored bytes that are read at a time, but for one blob.
    private static let groupBytes: UInt64 = 4 << 20

    let store: ArtifactStore
    private var builder = PackBuilder()
    private var old: [PackReplacement] = []
    private(set) var blobCount = 0

    init(store: ArtifactStore) { self.store = store }

    var isEmpty: Bool { old.isEmpty }
    /// Whether the new pack is as long as packs are.
    var isFull: Bool { builder.isFull }

    /// Adds a pack that is to go.
    ///
    /// - Parameters:
    ///   - live: blobs of it to keep, in their order.
    ///   - dead: the others that the index has there.
    ///   - moment: a blob that is not condemned by then does not go; `nil`: all that are dead.
    /// - Throws: `corrupt` for a blob that is not as it was written; then the pack is not added.
    mutating func add(
        _ pack: PackName, keeping live: [BlobLocation], dropping dead: [BlobKey],
        condemnedBy moment: Timestamp?
    ) async throws {
        var copies: [EncodedBlob] = []
        var rest = live[...]
        while let first = rest.first {
            var end = first.offset
            let group = rest.prefix { location in
                let next = location.offset + UInt64(location.storedLength)
                guard end == first.offset || next - first.offset <= Self.groupBytes else {
                    return false
                }
                end = next
                return true
            }
            rest = rest.dropFirst(group.count)
            let bytes = try await store.reader.bytes(of: pack, first.offset..<end)
            let locations = Array(group)
            let dictionaries = try await store.reader.dictionaries(for: locations)
            copies += try await store.pool.run {
                try zip(locations, dictionaries).map {
                    try Self.copy($0, of: bytes, from: first.offset, $1)
                }
            }
        }
        for copy in copies { builder.append(copy) }
        blobCount += live.count + dead.count
        old.append(
            PackReplacement(
                pack: pack, moved: live.map(\.key), dropped: dead, condemnedBy: moment))
    }

    /// Writes the new pack and lets the old ones go; they are then on the list of removals.
    ///
    /// - Returns: `nil` when something of them was needed again meanwhile: then all is as it was.
    mutating func finish() async throws -> Outcome? {
        let (full, packs) = (builder, old)
        (builder, old, blobCount) = (PackBuilder(), [], 0)
        guard !packs.isEmpty else { return nil }
        await store.sink.forget(packs.flatMap(\.dropped))
        let rewritten = packs.count { !$0.moved.isEmpty }
        guard !full.isEmpty else {
            guard try await store.index.replace(packs, by: nil) else { return nil }
            return Outcome(packs: packs.map(\.pack), rewritten: 0, newSize: 0)
        }
        let sealed = try full.seal()
        let isDone = try await store.locks.hold(sealed.name) {
            // Known already: its file must not be touched.
            guard try await !store.index.isEntered(sealed.name) else { return false }
            try await store.backend.write(sealed)
            let isDone = try await store.index.replace(
                packs, by: (sealed.name, sealed.size, sealed.header))
            if !isDone { try await store.backend.remove(sealed.name.key) }
            return isDone
        }
        guard isDone else { return nil }
        return Outcome(
            packs: packs.map(\.pack), rewritten: rewritten, newSize: sealed.size)
    }

    /// What the new pack would be, so far.
    func sealedCopy() throws -> SealedPack {
        let copy = builder
        return try copy.seal()
    }

    /// A blob as it stands, once it is known to be what it should be.
    private static func copy(
        _ location: BlobLocation, of bytes: [UInt8], from start: UInt64,
        _ dictionary: CompressionDictionary?
    ) throws -> EncodedBlob {
        let stored = Array(bytes[location.part(of: bytes.count, from: start)])
        _ = try BlobReader.content(stored, at: location, dictionary: dictionary)
        return EncodedBlob(
            key: location.key, codec: location.codec, contentLength: location.contentLength,
            stored: stored, check: location.check, dictionary: dictionary)
    }
}
