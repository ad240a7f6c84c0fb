package import LinajeDomain

/// The way of blobs into packs: what the store has is not stored again.
package struct BlobWriter: Sendable {
    package let pool: WorkerPool
    private let sink: PackSink
    private let index: ChunkIndex
    private let uses: BlobUses
    private let observer: WaypointObserver?
    private let dictionaries = SmallFileDictionaries()
    private let metrics = ArtifactMetrics()

    package init(
        pool: WorkerPool, sink: PackSink, index: ChunkIndex, uses: BlobUses = BlobUses(),
        observer: WaypointObserver? = nil
    ) {
        self.pool = pool
        self.sink = sink
        self.index = index
        self.uses = uses
        self.observer = observer
    }

    /// Stores blobs of one kind for a session.
    ///
    /// - Returns: bytes of content that the store did not have.
    package func put(_ blobs: [RawBlob], for session: IngestSession) async throws -> UInt64 {
        let (tickets, taken) = try await put(blobs, of: session.id)
        session.add(tickets)
        return taken
    }

    /// Stores chunks of a file for a session.
    ///
    /// - Returns: their lines in the file's recipe, and bytes that the store did not have.
    func put(
        chunks contents: [[UInt8]], for session: IngestSession
    ) async throws -> (lines: [UInt8], taken: UInt64) {
        let blobs = try await pool.halves(contents) { contents in
            contents.map { content in
                RawBlob(
                    key: BlobKey(.chunk, ContentHasher.digest(content)), content: content)
            }
        }
        var lines: [UInt8] = []
        lines.reserveCapacity(blobs.count * Recipe.chunkBytes)
        for blob in blobs {
            let length = UInt32(blob.content.count)
            Recipe.append(Recipe.Chunk(digest: blob.key.digest, length: length), to: &lines)
        }
        return (lines, try await put(blobs, for: session))
    }

    /// Forgets what was made for a session.
    func forget(_ session: IngestID) { dictionaries.forget(session) }

    /// Stores blobs of one kind. The caller holds a `BlobUse` until something refers to them.
    ///
    /// - Parameter session: whose they are; small ones of a session share a dictionary.
    /// - Returns: the packs on their way that hold them, and bytes of content that the store did
    ///   not have.
    package func put(
        _ blobs: [RawBlob], of session: IngestID? = nil
    ) async throws -> (tickets: Set<PackTicket>, taken: UInt64) {
        guard let kind = blobs.first?.key.kind else { return ([], 0) }
        var seen: Set<BlobKey> = []
        let different = blobs.filter { seen.insert($0.key).inserted }
        // Before anything is looked up: a collection that condemns them now takes it back.
        uses.note(kind, different.lazy.map(\.key.digest))
        try await observer?(.noted)
        let onTheirWay = await sink.tickets(of: different.map(\.key))
        let others = different.filter { onTheirWay[$0.key] == nil }
        let known = try await index.claim(kind, others.map(\.key.digest), observer)
        var new = others.filter { !known.contains($0.key.digest) }
        if kind == .recipe {
            new += try await contradicted(others.filter { known.contains($0.key.digest) })
        }
        if kind == .chunk { metrics.put(blobs, lacked: new) }
        var tickets = Set(onTheirWay.values)
        guard !new.isEmpty else { return (tickets, 0) }
        let dictionary = try await dictionary(for: new, of: session)
        let encoded = try await pool.halves(new) {
            try BlobEncoding.encode($0, dictionary: dictionary)
        }
        let (added, taken) = try await sink.append(encoded)
        tickets.formUnion(added)
        return (tickets, taken)
    }

    /// Recipes that read otherwise than those that are known of the same files. What was cut here from
    /// a file itself is right; the other may have come in a remote's pack, and would lose the file.
    private func contradicted(_ recipes: [RawBlob]) async throws -> [RawBlob] {
        guard !recipes.isEmpty else { return [] }
        let known = try await index.locate(.recipe, recipes.map(\.key.digest))
        let encoded = try await pool.halves(recipes) { try BlobEncoding.encode($0) }
        return zip(recipes, encoded).filter { recipe, encoded in
            known[recipe.key.digest]?.check != encoded.check
        }.map(\.0)
    }

    private func dictionary(
        for blobs: [RawBlob], of session: IngestID?
    ) async throws -> CompressionDictionary? {
        // The chunks of a long file are too long for one, but for its last.
        guard let session, blobs.count > 1, blobs.contains(where: CompressionDictionary.isFor)
        else { return nil }
        let dictionaries = dictionaries
        return try await pool.run { try dictionaries.dictionary(for: blobs, of: session) }
    }
}
