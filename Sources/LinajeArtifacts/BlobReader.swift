import LinajeDomain
package import LinajePluginKit
import Synchronization

/// Reads blobs out of packs and believes none before it was checked.
package final class BlobReader: Sendable {
    private let backend: any ArtifactBackend
    private let index: ChunkIndex
    private let pool: WorkerPool
    let metrics = ArtifactMetrics()
    private let turns = FetchTurns(width: 8)
    /// Groups of chunks that are fetched before somebody asks for them, of all reads together.
    let ahead = AheadBudget(groups: 16)
    /// What headers say, by pack: small files share a pack, and its header is long.
    private let listings = Mutex(
        LeastRecentlyUsed<Listing>(capacity: 16 << 20, maximumEntries: 64))
    private let dictionaries = Mutex(
        LeastRecentlyUsed<CompressionDictionary>(capacity: 8 << 20, maximumEntries: 64))

    package init(backend: any ArtifactBackend, index: ChunkIndex, pool: WorkerPool) {
        self.backend = backend
        self.index = index
        self.pool = pool
    }

    /// The content of chunks that stand in one pack in this order, one after the other, each
    /// checked against its key. They may be some bytes apart, which are read with them.
    ///
    /// - Throws: `corrupt` naming the chunk and its pack, `incomplete` when the pack is gone.
    func chunks(_ locations: [BlobLocation]) async throws -> [UInt8] {
        guard let first = locations.first, let last = locations.last else { return [] }
        let content = try await turns.take {
            let stored = try await bytes(
                of: first.pack, first.offset..<last.offset + UInt64(last.storedLength))
            let dictionaries = try await dictionaries(for: locations)
            return try await pool.run {
                try self.counted { try BlobReader.join(stored, locations, dictionaries) }
            }
        }
        metrics.read(content.count)
        return content
    }

    /// The content of chunks out of the bytes from the first to the last of them.
    private static func join(
        _ stored: [UInt8], _ locations: [BlobLocation], _ dictionaries: [CompressionDictionary?]
    ) throws -> [UInt8] {
        let start = locations[0].offset
        let length = locations.reduce(0) { $0 + Int($1.contentLength) }
        return try stored.withUnsafeBytes { all in
            // Stored as they are and side by side: what was read is the content, and is not copied.
            if stored.count == length, locations.allSatisfy({ $0.codec == .stored }) {
                for location in locations {
                    let part = UnsafeRawBufferPointer(
                        rebasing: all[location.part(of: all.count, from: start)])
                    try BlobEncoding.check(part.count, at: location)
                    try check(content: try check(part, at: location), at: location)
                }
                return stored
            }
            return try [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
                let out = UnsafeMutableRawBufferPointer(buffer)
                for (location, dictionary) in zip(locations, dictionaries) {
                    let part = UnsafeRawBufferPointer(
                        rebasing: all[location.part(of: all.count, from: start)])
                    let end = count + Int(location.contentLength)
                    let room = UnsafeMutableRawBufferPointer(rebasing: out[count..<end])
                    let digest = try check(part, at: location)
                    try BlobEncoding.decode(
                        part, at: location, dictionary: dictionary, into: room)
                    let isSame = location.codec == .stored
                    try check(
                        content: isSame
                            ? digest : ContentHasher.digest(UnsafeRawBufferPointer(room)),
                        at: location)
                    count = end
                }
            }
        }
    }

    /// A tree's or recipe's content; `nil` when the index does not know it.
    ///
    /// A tree is checked against its key. A recipe's key is its file's digest, which its bytes do
    /// not tell; therefore the pack's own header, whose digest is the pack's name, must say the
    /// same as the index, and the recipe must match the digest that it ends with.
    package func whole(_ key: BlobKey) async throws -> [UInt8]? {
        guard let location = try await location(of: key) else { return nil }
        do {
            return try await whole(at: location)
        } catch let error as LinajeError where error.code == .incomplete {
            // A repacking may have moved it since it was looked up.
            guard let other = try await self.location(of: key) else { return nil }
            guard other.pack != location.pack else { throw error }
            return try await whole(at: other)
        }
    }

    private func location(of key: BlobKey) async throws -> BlobLocation? {
        try await index.locate(key.kind, [key.digest])[key.digest]
    }

    private func whole(at location: BlobLocation) async throws -> [UInt8] {
        let key = location.key
        if key.kind == .recipe {
            let listed = PackEntry(
                key: key, codec: location.codec, storedLength: location.storedLength,
                contentLength: location.contentLength, offset: location.offset,
                check: location.check)
            guard try await listing(of: location.pack).recipes[key.digest] == listed else {
                throw LinajeError(
                    .corrupt,
                    "chunk index and \(location.pack.key) disagree about \(key); rebuild the index",
                    details: ["pack": location.pack.key, "blob": key.description])
            }
        }
        let stored = try await bytes(
            of: location.pack,
            location.offset..<location.offset + UInt64(location.storedLength))
        return try await pool.run {
            try self.counted { try BlobReader.content(stored, at: location) }
        }
    }

    /// Counts what is found not to be as it was written.
    private func counted(_ body: () throws -> [UInt8]) throws -> [UInt8] {
        do {
            return try body()
        } catch {
            metrics.foundCorrupt()
            throw error
        }
    }

    /// The dictionaries that blobs of one pack need: `nil` for those that need none.
    ///
    /// - Throws: `corrupt` for a dictionary that is damaged or is not there, `incomplete` when the
    ///   pack is gone.
    func dictionaries(for blobs: [BlobLocation]) async throws -> [CompressionDictionary?] {
        var out: [CompressionDictionary?] = Array(repeating: nil, count: blobs.count)
        for (place, blob) in blobs.enumerated() where blob.codec == .dictionary {
            let listed = try await listing(of: blob.pack).dictionaries
            guard let entry = listed.last(where: { $0.offset < blob.offset }) else {
                throw BlobEncoding.corrupt(blob, "lacks the dictionary that it needs")
            }
            out[place] = try await dictionary(BlobLocation(entry, in: blob.pack))
        }
        return out
    }

    private func dictionary(_ location: BlobLocation) async throws -> CompressionDictionary {
        let digest = location.key.digest
        if let known = dictionaries.withLock({ $0.value(digest) }) { return known }
        let stored = try await bytes(of: location.pack, location.range)
        let dictionary = try await pool.run {
            let content = try self.counted { try BlobReader.content(stored, at: location) }
            return try CompressionDictionary.read(content, stored: stored, at: location)
        }
        // zstd's tables take about as much again.
        let weight = Int(location.contentLength) * 2 + stored.count + (32 << 10)
        dictionaries.withLock { $0.insert(dictionary, weight: weight, for: digest) }
        return dictionary
    }

    /// What the header of a pack says of a part of its blobs.
    private struct Listing {
        var recipes: [SHA256Digest: PackEntry]
        /// In the order in which they lie.
        var dictionaries: [PackEntry]
    }

    /// What the header of a pack lists; a pack that does not begin as one is refused, so that damage
    /// to the only bytes that no digest covers is noticed too.
    private func listing(of pack: PackName) async throws -> Listing {
        if let known = listings.withLock({ $0.value(pack.digest) }) { return known }
        let entries = try await header(of: pack).entries
        guard try await bytes(of: pack, PackHeader.magicRange) == PackHeader.magic else {
            throw PackHeader.corrupt(pack, "does not begin as packs do")
        }
        let recipes = Dictionary(
            entries.lazy.filter { $0.key.kind == .recipe }.map { ($0.key.digest, $0) },
            uniquingKeysWith: { first, _ in first })
        let listing = Listing(
            recipes: recipes, dictionaries: entries.filter { $0.key.kind == .dictionary })
        listings.withLock {
            $0.insert(listing, weight: 128 * (recipes.count + 1), for: pack.digest)
        }
        return listing
    }

    /// The header of a pack, checked against the pack's name.
    package func header(of pack: PackName, size known: UInt64? = nil) async throws -> PackHeader {
        var size = known
        if size == nil { size = try await backend.stat(pack.key) }
        guard let size else { throw BlobReader.missing(pack) }
        let tail = UInt64(PackHeader.trailerBytes)
        guard size >= tail else { throw PackHeader.corrupt(pack, "has only \(size) bytes") }
        let trailer = try PackTrailer(
            try await bytes(of: pack, size - tail..<size), size: size, pack: pack)
        let end = size - tail
        let header = try await bytes(of: pack, end - UInt64(trailer.headerLength)..<end)
        return try await pool.run {
            try PackHeader(header, trailer: trailer, size: size, pack: pack)
        }
    }

    /// Bytes of a pack.
    package func bytes(of pack: PackName, _ range: Range<UInt64>) async throws -> [UInt8] {
        do {
            return try await backend.get(pack.key, range: range)
        } catch let error as LinajeError where error.code == .notFound {
            throw BlobReader.missing(pack)
        }
    }

    /// The content of a blob from its stored bytes, which are compared with the check before a
    /// decoder sees them; the content is then compared with the key.
    ///
    /// - Throws: `corrupt` naming the blob and its pack; what `BlobEncoding.decode` throws.
    package static func content(
        _ stored: [UInt8], at location: BlobLocation, dictionary: CompressionDictionary? = nil
    ) throws -> [UInt8] {
        let digest = try stored.withUnsafeBytes { try check($0, at: location) }
        let content = try BlobEncoding.decode(stored, at: location, dictionary: dictionary)
        if location.key.kind == .recipe {
            _ = try Recipe(content, of: location.key.digest)
            return content
        }
        let isSame = location.codec == .stored
        try check(content: isSame ? digest : ContentHasher.digest(content), at: location)
        return content
    }

    /// The digest of a blob's stored bytes, which must be those that were written.
    private static func check(
        _ stored: UnsafeRawBufferPointer, at location: BlobLocation
    ) throws -> SHA256Digest {
        let digest = ContentHasher.digest(stored)
        guard BlobCheck(digest) == location.check else {
            throw BlobEncoding.corrupt(location, "is not stored as it was written")
        }
        return digest
    }

    private static func check(content digest: SHA256Digest, at location: BlobLocation) throws {
        guard digest == location.key.digest else {
            throw BlobEncoding.corrupt(location, "does not match its digest")
        }
    }

    private static func missing(_ pack: PackName) -> LinajeError {
        LinajeError(
            .incomplete, "\(pack.key) is gone; restore it from a copy or upload its files again",
            details: ["pack": pack.key])
    }
}
