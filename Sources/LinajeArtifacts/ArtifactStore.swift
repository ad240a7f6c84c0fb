package import LinajeDomain
package import LinajePluginKit
package import Logging
import Synchronization

/// Files and trees by content: stored once, checked whenever they are read.
///
/// ```
/// FileIngest ── chunks ──▶ BlobWriter ── new ones, encoded ──▶ PackSink ── packs ──▶ backend
///                               └── known? ──▶ ChunkIndex ◀── after that ──┘
/// VerifiedRead ◀── checked chunks ── BlobReader ◀── ranges of packs ── backend
/// ```
/// Nothing that a client puts can be found before `prepareTree` returns, which it does when
/// everything is durable. What sessions leave behind that die is content without a name.
///
/// All methods may be called at the same time.
package final class ArtifactStore: Sendable {
    let backend: any ArtifactBackend
    let clock: any WallClock
    let logger: Logger
    let pool = WorkerPool(label: "linaje.artifacts", width: 2)
    let index: ChunkIndex
    let uses = BlobUses()
    let locks = PackLocks()
    /// Collections, repairs and backups go one after the other.
    let upkeep = UpkeepTurn()
    let observer: WaypointObserver?
    let sink: PackSink
    let writer: BlobWriter
    let reader: BlobReader
    /// Reads what the backend holds itself, past a cache: what checks say is of that.
    let originals: BlobReader
    /// How many exchanges with remotes are on their way.
    let exchanges = Mutex(0)
    private let sessions = Mutex<[IngestID: IngestSession]>([:])
    private let trees = Mutex(LeastRecentlyUsed<Tree>(capacity: 16 << 20, maximumEntries: 64))
    let recipes = RecipeCache()
    /// Files whose recipe was found wrong, and when a better one was looked for.
    let settled = Mutex(LeastRecentlyUsed<Timestamp>(capacity: 1_024, maximumEntries: 256))

    /// - Parameter original: the backend behind a cache; `nil`: there is none.
    package init(
        backend: any ArtifactBackend, original: (any ArtifactBackend)? = nil,
        index: any SQLBackend, clock: any WallClock,
        logger: Logger = Logger(label: "linaje.artifacts"), observer: WaypointObserver? = nil
    ) {
        self.backend = backend
        self.clock = clock
        self.logger = logger
        self.observer = observer
        self.index = ChunkIndex(sql: index)
        self.sink = PackSink(
            backend: backend, index: self.index, locks: locks, recipes: recipes, logger: logger,
            observer: observer)
        self.writer = BlobWriter(
            pool: pool, sink: sink, index: self.index, uses: uses, observer: observer)
        let reader = BlobReader(backend: backend, index: self.index, pool: pool)
        self.reader = reader
        self.originals =
            original.map { [index = self.index, pool] in
                BlobReader(backend: $0, index: index, pool: pool)
            } ?? reader
    }

    /// Brings the index's schema (see `ChunkIndex`) up to date; before anything else.
    package func prepare() async throws { try await index.prepare() }

    /// Why the store accepts nothing more (a write or fsync failed), or `nil`.
    package var failure: LinajeError? { get async { await sink.failure } }

    // MARK: Ingest

    /// Opens a session; one that is open already stays as it is.
    ///
    /// - Throws: `overloaded` for more than `Limits.ingestSessions`.
    package func beginIngest(_ id: IngestID) async throws {
        if let failure = await sink.failure { throw failure }
        let now = clock.now()
        try sessions.withLock { sessions in
            if let session = sessions[id] { return try session.use(now) }
            guard sessions.count < Limits.ingestSessions else {
                throw LinajeError(
                    .overloaded,
                    "\(sessions.count) ingest sessions are open, as many as may be; try again "
                        + "later")
            }
            sessions[id] = IngestSession(id, now: now, use: uses.begin())
        }
    }

    /// Begins a file of a session.
    ///
    /// - Parameters:
    ///   - size: bytes that will come, when it is known; others are `incomplete`.
    ///   - sha256: their digest, when it is known; another is `corrupt`.
    /// - Throws: `notFound` for a session that is not open, `limitExceeded` for a size out of
    ///   bounds.
    package func openFile(
        _ ingest: IngestID, path: TreePath, mode: FileMode, size: UInt64?, sha256: SHA256Digest?
    ) async throws -> FileIngest {
        if let failure = await sink.failure { throw failure }
        let limit = mode == .link ? UInt64(Limits.linkTargetBytes) : Limits.fileBytes
        if let size, size > limit {
            throw LinajeError(
                .limitExceeded, "\"\(path)\" has \(size) bytes; at most \(limit) are allowed")
        }
        let session = try session(ingest)
        try session.open(clock.now())
        return FileIngest(
            session: session, path: path, mode: mode, size: size, sha256: sha256, writer: writer,
            clock: clock)
    }

    /// Makes the session's files a tree, durable and in the index, with all that it needs. The
    /// session stays open; the same again gives the same tree.
    ///
    /// - Throws: `failedPrecondition` while a file is on its way, `invalidArgument` for a path
    ///   below a file, the error of a pack that was lost: the session is then good for nothing.
    package func prepareTree(_ ingest: IngestID) async throws -> StoredTree {
        let session = try session(ingest)
        let entries = try session.entries(clock.now())
        let (tree, blob, stored) = try await pool.run { try ArtifactStore.encode(entries) }
        _ = try await writer.put([blob], for: session)
        do {
            try await sink.flush(session.tickets)
        } catch {
            // Says the same, with the session's name, and keeps saying it.
            try session.use(clock.now())
            throw LinajeError.any(error)
        }
        try session.use(clock.now())
        remember(tree, weight: blob.content.count, stored.digest)
        return stored
    }

    /// Forgets a session: its tree is committed, or nobody wants it. One that is not open is no
    /// error.
    package func endIngest(_ ingest: IngestID) async {
        sessions.withLock { $0.removeValue(forKey: ingest) }?.end()
        writer.forget(ingest)
    }

    /// Drops the sessions that nobody has used for `Limits.ingestLease`.
    package func expireIngests() async {
        let now = clock.now()
        let expired = sessions.withLock { sessions -> [IngestSession] in
            let expired = sessions.values.filter { $0.isExpired(now) }
            for session in expired { sessions[session.id] = nil }
            return expired
        }
        for session in expired { session.end() }
        if !expired.isEmpty {
            logger.info("\(expired.count) ingest sessions were dropped after silence")
        }
    }

    // MARK: Trees

    /// Keeps all that `body` stores or finds complete from being collected before it is over, which
    /// is when something refers to it.
    package func keepingUsed<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        let use = uses.begin()
        defer { use.end() }
        return try await body()
    }

    /// Stores a tree whose files are stored already: a merged listing, a part of a tree.
    /// Inside `keepingUsed`.
    ///
    /// - Throws: `incomplete` naming a file that is not.
    package func storeTree(_ tree: Tree) async throws -> StoredTree {
        let recipes = Array(Set(tree.entries.map(\.sha256)))
        uses.note(.recipe, recipes)
        let found = try await index.claim(.recipe, recipes)
        if let entry = tree.entries.first(where: { !found.contains($0.sha256) }) {
            throw ArtifactStore.incomplete(entry, "is not stored")
        }
        let (_, blob, stored) = try await pool.run { try ArtifactStore.encode(tree.entries) }
        let (tickets, _) = try await writer.put([blob])
        try await sink.flush(tickets)
        remember(tree, weight: blob.content.count, stored.digest)
        return stored
    }

    /// The tree of that digest.
    ///
    /// - Throws: `notFound`, `corrupt` when what is stored does not match.
    package func tree(_ digest: SHA256Digest) async throws -> Tree {
        if let tree = trees.withLock({ $0.value(digest) }) { return tree }
        guard let content = try await reader.whole(BlobKey(.tree, digest)) else {
            throw ArtifactStore.noTree(digest)
        }
        let tree = try await pool.run { try Tree(canonical: content) }
        remember(tree, weight: content.count, digest)
        return tree
    }

    /// Notes that somebody has begun to look at trees, so that he can read their files for a while,
    /// whatever is deleted meanwhile.
    package func lease(_ trees: [SHA256Digest]) {
        let end = clock.now().microseconds + Limits.downloadLease.components.seconds * 1_000_000
        for tree in trees { uses.lease(tree, until: Timestamp(microseconds: end)) }
    }

    /// Makes sure that all of a tree can be read: every file's recipe and every chunk is in the
    /// index, and every pack they are in is there with its size.
    ///
    /// - Parameter claiming: whether the caller counts on it from now on, inside `keepingUsed`; what
    ///   is condemned of it is rescued then.
    /// - Throws: `incomplete` naming the file, `notFound` for the tree itself.
    package func requireComplete(
        _ digest: SHA256Digest, claiming: Bool = true
    ) async throws {
        // Of the index, not of the caches: they may hold what was collected since.
        guard try await found(.tree, [digest], claiming: claiming).contains(digest) else {
            throw ArtifactStore.noTree(digest)
        }
        let tree = try await tree(digest)
        let recipes = try await found(
            .recipe, Array(Set(tree.entries.map(\.sha256))), claiming: claiming)
        if let entry = tree.entries.first(where: { !recipes.contains($0.sha256) }) {
            throw ArtifactStore.incomplete(entry, "is not stored")
        }
        var check = CompletenessCheck(
            backend: backend, index: index, packs: try await index.packs(),
            uses: claiming ? uses : nil)
        var seen: Set<SHA256Digest> = []
        for entry in tree.entries where seen.insert(entry.sha256).inserted {
            guard let recipe = try await recipe(entry.sha256), recipe.size == entry.size else {
                throw ArtifactStore.incomplete(entry, "is not stored")
            }
            try await check.add(recipe, of: entry)
        }
        try await check.finish()
    }

    // MARK: Files

    /// Reads a file, or the part of it in `range`; a range that ends after the file ends with it.
    ///
    /// - Parameter checksFile: whether a whole file is compared with its own digest, besides its
    ///   chunks with theirs.
    /// - Throws: `notFound`, `invalidArgument` for a range that begins after the file, `corrupt`.
    package func read(
        _ file: SHA256Digest, range: Range<UInt64>?, checksFile: Bool = true
    ) async throws -> VerifiedRead {
        guard let recipe = try await recipe(file) else {
            throw LinajeError(.notFound, "file \(file) is not stored; check its digest")
        }
        let start = range?.lowerBound ?? 0
        guard start <= recipe.size else {
            throw LinajeError(
                .invalidArgument,
                "offset \(start) is past the end of file \(file), which has \(recipe.size) bytes")
        }
        if recipe.size == 0, ContentHasher().digest != file {
            throw LinajeError(
                .corrupt, "file \(file) is stored as empty, which it is not; rebuild the index")
        }
        let end = min(range?.upperBound ?? recipe.size, recipe.size)
        return VerifiedRead(
            file: file, recipe: recipe, range: start..<end, index: index, reader: reader,
            pool: pool, checksFile: checksFile,
            reading: FileReading(uses, file: file, recipe: recipe)
        ) { try await self.settle(wrong: file) }
    }

    /// How full the store is.
    package func statistics() async throws -> ArtifactStatistics { try await index.statistics() }

    // MARK: Packs

    /// Makes the index anew from the packs alone. Where it is interrupted, it must be run again.
    ///
    /// - Returns: packs and blobs that were entered, and the packs that cannot be read: their
    ///   blobs are not in the index any more.
    package func rebuildIndex() async throws -> ArtifactVerification {
        try await index.clear()
        var report = ArtifactVerification()
        // Listed after the index is empty, so that no pack of a session between is lost.
        for object in try await backend.list(prefix: "packs/") {
            guard let pack = PackName(key: object.key) else {
                report.damages.append(
                    ArtifactDamage(pack: object.key, finding: "its name is no pack's"))
                continue
            }
            report.packs += 1
            do {
                let header = try await reader.header(of: pack, size: object.size)
                try await index.insert(pack, size: object.size, header)
                report.blobs += header.entries.count
            } catch let error as LinajeError
                where [.corrupt, .storeTooNew, .incomplete].contains(error.code)
            {
                logger.error("\(pack.key) is left out of the index: \(error)")
                report.damages.append(ArtifactDamage(pack: pack.key, finding: error.message))
            }
        }
        try await settleDisputes()
        return report
    }

    /// Reads all packs and names everything that is not as it was written, and the packs that the
    /// index knows and that are not there.
    package func verify() async throws -> ArtifactVerification {
        let report = try await PackVerifier(
            backend: backend, index: index, reader: reader, pool: pool
        ).verify()
        reader.metrics.foundCorrupt(report.damages.count)
        return report
    }

    // MARK: Parts

    func session(_ id: IngestID) throws -> IngestSession {
        guard let session = sessions.withLock({ $0[id] }) else { throw IngestSession.notFound(id) }
        return session
    }

    func recipe(_ file: SHA256Digest) async throws -> Recipe? {
        if let recipe = recipes.recipe(of: file) { return recipe }
        let changes = recipes.changes
        guard let content = try await reader.whole(BlobKey(.recipe, file)) else { return nil }
        let recipe = try await pool.run { try Recipe(content, of: file) }
        recipes.insert(recipe, weight: content.count, of: file, unlessChanged: changes)
        return recipe
    }

    private func found(
        _ kind: BlobKind, _ digests: [SHA256Digest], claiming: Bool
    ) async throws -> Set<SHA256Digest> {
        guard claiming else { return Set(try await index.present(kind, digests).keys) }
        uses.note(kind, digests)
        return try await index.claim(kind, digests, observer)
    }

    /// Forgets what was read of trees and files that may have been collected.
    func emptyCaches() {
        trees.withLock { $0.removeAll() }
        recipes.removeAll()
    }

    private func remember(_ tree: Tree, weight: Int, _ digest: SHA256Digest) {
        trees.withLock { $0.insert(tree, weight: weight, for: digest) }
    }

    private static func encode(
        _ entries: [TreeEntry]
    ) throws -> (tree: Tree, blob: RawBlob, stored: StoredTree) {
        let tree = try Tree(entries)
        let text = tree.canonical
        let digest = ContentHasher.digest(text)
        return (
            tree, RawBlob(key: BlobKey(.tree, digest), content: text),
            StoredTree(digest: digest, files: tree.entries.count, size: tree.size)
        )
    }

    static func noTree(_ digest: SHA256Digest) -> LinajeError {
        LinajeError(.notFound, "tree \(digest) is not stored; check its digest")
    }

    static func incomplete(_ entry: TreeEntry, _ finding: String) -> LinajeError {
        LinajeError(
            .incomplete, "file \"\(entry.path)\" (\(entry.sha256)) \(finding); upload it again",
            details: ["path": entry.path.text, "file": entry.sha256.description])
    }
}
