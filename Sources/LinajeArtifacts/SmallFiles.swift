package import LinajeDomain

/// A file with all its bytes, as a client gave it.
package struct WholeFile: Sendable {
    package var path: TreePath
    package var mode: FileMode
    package var content: [UInt8]
    /// What the client says that the content's SHA-256 is.
    package var sha256: SHA256Digest

    package init(path: TreePath, mode: FileMode, content: [UInt8], sha256: SHA256Digest) {
        self.path = path
        self.mode = mode
        self.content = content
        self.sha256 = sha256
    }
}

extension ArtifactStore {
    /// Puts small files in a session: the store is asked once about the chunks of all of them.
    ///
    /// - Returns: bytes of chunks that the store did not have.
    /// - Throws: `corrupt` for content with another digest, `limitExceeded` for a long file,
    ///   `invalidArgument` for a link's target that cannot be one; then none of them is put.
    package func putFiles(_ ingest: IngestID, _ files: [WholeFile]) async throws -> UInt64 {
        let session = try session(ingest)
        try session.use(clock.now())
        let cut = try await pool.halves(files) { try $0.map(CutFile.init) }
        do {
            let taken = try await writer.put(cut.flatMap(\.chunks), for: session)
            _ = try await writer.put(cut.map(\.recipe), for: session)
            try session.add(cut.map(\.entry), clock.now())
            return taken
        } catch {
            throw LinajeError.any(error)
        }
    }

    /// Takes files over from a tree that is stored already.
    ///
    /// - Parameters:
    ///   - kept: which of its entries: entry n by bit n & 7 of byte n >> 3.
    ///   - isNeeded: whether something needs the tree now, and with it all that is in it. Then whoever
    ///     commits must look again (`bases`). If not, everything in it is looked up here.
    /// - Returns: how many files that were.
    /// - Throws: `notFound`, `incomplete`.
    package func inherit(
        _ ingest: IngestID, from base: SHA256Digest, kept: [UInt8], isNeeded: Bool
    ) async throws -> Int {
        let session = try session(ingest)
        try session.use(clock.now())
        if !isNeeded { try await requireComplete(base) }
        let tree = try await tree(base)
        let taken = tree.entries.indices.lazy
            .filter { $0 >> 3 < kept.count && kept[$0 >> 3] >> UInt8($0 & 7) & 1 == 1 }
            .map { tree.entries[$0] }
        let entries = Array(taken)
        try session.add(entries, from: isNeeded ? base : nil, clock.now())
        return entries.count
    }

    /// The trees that files of a session were taken over from, and that must still be needed in the
    /// transaction that commits its tree.
    package func bases(of ingest: IngestID) throws -> Set<SHA256Digest> {
        try session(ingest).bases
    }
}

/// A small file in its parts.
private struct CutFile: Sendable {
    var entry: TreeEntry
    var chunks: [RawBlob]
    var recipe: RawBlob

    init(_ file: WholeFile) throws {
        let limit = file.mode == .link ? Limits.linkTargetBytes : Limits.smallFileBytes
        guard file.content.count <= limit else {
            throw LinajeError(
                .limitExceeded,
                "file \"\(file.path)\" has \(file.content.count) bytes; at most \(limit) are put with "
                    + "others: put it alone")
        }
        if file.mode == .link { try FileIngest.checkTarget(file.content, file.path) }
        let digest = ContentHasher.digest(file.content)
        guard digest == file.sha256 else {
            throw FileIngest.corrupt(file.path, digest, announced: file.sha256)
        }
        chunks = []
        var list: [UInt8] = []
        for content in Self.cut(file.content) {
            // Most small files are one chunk: that has the file's own digest.
            let isWhole = content.count == file.content.count
            let key = isWhole ? digest : ContentHasher.digest(content)
            chunks.append(RawBlob(key: BlobKey(.chunk, key), content: content))
            Recipe.append(Recipe.Chunk(digest: key, length: UInt32(content.count)), to: &list)
        }
        let size = UInt64(file.content.count)
        recipe = RawBlob(
            key: BlobKey(.recipe, digest), content: Recipe.encode(size: size, list: list))
        entry = TreeEntry(path: file.path, mode: file.mode, size: size, sha256: digest)
    }

    private static func cut(_ content: [UInt8]) -> [[UInt8]] {
        guard content.count > Chunker.minimum else { return content.isEmpty ? [] : [content] }
        var chunker = Chunker()
        var chunks: [[UInt8]] = []
        content.withUnsafeBytes { all in
            var rest = all
            while let length = chunker.cut(rest) {
                chunks.append(Array(UnsafeRawBufferPointer(rebasing: rest[..<length])))
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
            if !rest.isEmpty { chunks.append(Array(rest)) }
        }
        return chunks
    }
}
