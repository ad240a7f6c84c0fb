import LinajeDomain
import LinajePluginKit

/// Finds every blob that is needed.
///
/// ```
/// roots ──▶ trees, each read once ──▶ recipes: one pass over all packs ──▶ chunks
/// ```
/// What is needed goes into a filter that claims a little more. It is never asked whether something
/// need not be looked at, only what must be kept.
struct Marking {
    /// What the filter may take: room for 33 million blobs at 16 bits each, some 2.5 TB of files.
    static let maximumBytes = 64 << 20
    private static let rootsPerPage = 256
    private static let recipesPerLookup = 1_024
    /// Losses that are named.
    private static let namedLosses = 20

    /// A root and what it is.
    struct Root: Sendable {
        var digest: SHA256Digest
        /// Files of the tree, and their bytes; `nil` when the root is no tree of this store.
        var tree: (files: Int, size: UInt64)?
    }

    let store: ArtifactStore
    let roots: any TreeRoots
    private(set) var marks: BlobFilter
    /// Trees and files that are needed and not stored.
    private(set) var losses: [String] = []
    private(set) var lossCount = 0
    private(set) var rootCount = 0
    /// Packs with recipes of files in dispute.
    private(set) var held: Set<PackName> = []
    private var disputed: Set<SHA256Digest> = []

    init(store: ArtifactStore, roots: any TreeRoots) async throws {
        self.store = store
        self.roots = roots
        marks = BlobFilter(
            expecting: try await store.index.blobCount(), maximumBytes: Self.maximumBytes)
    }

    /// Marks everything.
    ///
    /// - Parameters:
    ///   - found: told of each root.
    ///   - progress: told of packs looked through, and of all there are.
    /// - Throws: `failedPrecondition` for a tree, recipe or pack that is damaged: what it needs is
    ///   not known.
    mutating func run(
        found: (Root) async throws -> Void,
        progress: (_ packs: Int, _ total: Int) async throws -> Void
    ) async throws {
        var last: SHA256Digest?
        repeat {
            let page = try await roots.roots(after: last, limit: Self.rootsPerPage)
            for root in page { try await found(try await mark(root)) }
            last = page.count < Self.rootsPerPage ? nil : page.last?.digest
            try await store.observer?(.rootsRead)
        } while last != nil
        for tree in store.uses.leases(at: store.clock.now()) {
            _ = try await mark(TreeRoot(digest: tree, isOurs: false))
        }
        for file in store.uses.reading { marks.insert(BlobKey(.recipe, file)) }
        disputed = try await store.index.allDisputes()
        let packs = try await store.index.packs()
        for (number, pack) in packs.keys.sorted().enumerated() {
            try await markChunks(of: pack, size: packs[pack])
            try await progress(number + 1, packs.count)
        }
        try await store.observer?(.marked)
    }

    private mutating func mark(_ root: TreeRoot) async throws -> Root {
        rootCount += 1
        marks.insert(BlobKey(.tree, root.digest))
        marks.insert(BlobKey(.recipe, root.digest))
        guard try await store.index.present(.tree, [root.digest])[root.digest] != nil else {
            let isFile =
                try await store.index.present(.recipe, [root.digest])[root.digest] != nil
            if root.isOurs, !isFile { note(loss: "tree \(root.digest) is not stored") }
            return Root(digest: root.digest)
        }
        let tree: Tree
        do {
            tree = try await store.tree(root.digest)
        } catch let error as LinajeError where Self.isDamage(error) {
            throw Self.unknown(error)
        }
        var rest = tree.entries[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.recipesPerLookup)
            rest = rest.dropFirst(part.count)
            for entry in part { marks.insert(BlobKey(.recipe, entry.sha256)) }
            let known = try await store.index.present(
                .recipe, Array(Set(part.map(\.sha256))))
            for entry in part where known[entry.sha256] == nil {
                note(loss: "file \"\(entry.path)\" of tree \(root.digest) is not stored")
            }
        }
        return Root(digest: root.digest, tree: (files: tree.entries.count, size: tree.size))
    }

    /// Marks the chunks of the recipes in a pack that are needed.
    private mutating func markChunks(of pack: PackName, size: UInt64?) async throws {
        do {
            let header = try await store.reader.header(of: pack, size: size)
            let recipes = header.entries.filter { $0.key.kind == .recipe }
            if !disputed.isEmpty, recipes.contains(where: { disputed.contains($0.key.digest) }) {
                held.insert(pack)
            }
            for entry in recipes where marks.contains(entry.key) {
                let recipe = try await store.recipe(entry, in: pack)
                for chunk in recipe.chunks { marks.insert(BlobKey(.chunk, chunk.digest)) }
            }
        } catch let error as LinajeError where Self.isDamage(error) {
            throw Self.unknown(error)
        }
    }

    private mutating func note(loss: String) {
        lossCount += 1
        if losses.count < Self.namedLosses { losses.append(loss) }
    }

    private static func isDamage(_ error: LinajeError) -> Bool {
        [.corrupt, .incomplete, .storeTooNew, .notFound].contains(error.code)
    }

    private static func unknown(_ error: LinajeError) -> LinajeError {
        LinajeError(
            .failedPrecondition,
            "nothing is collected, as it is not known what is needed: \(error.message); run linaje "
                + "fsck --repair first", details: error.details)
    }
}

extension ArtifactStore {
    /// A recipe as a pack's header lists it.
    func recipe(_ entry: PackEntry, in pack: PackName) async throws -> Recipe {
        let location = BlobLocation(entry, in: pack)
        let stored = try await reader.bytes(of: pack, location.range)
        return try await pool.run {
            try Recipe(try BlobReader.content(stored, at: location), of: entry.key.digest)
        }
    }
}

extension BlobLocation {
    /// Where a header says that a blob is.
    init(_ entry: PackEntry, in pack: PackName) {
        self.init(
            key: entry.key, pack: pack, offset: entry.offset, storedLength: entry.storedLength,
            contentLength: entry.contentLength, codec: entry.codec, check: entry.check)
    }

    /// Its bytes in the pack.
    var range: Range<UInt64> { offset..<offset + UInt64(storedLength) }

    /// Its bytes among `count` of the pack that begin at `start`, not after it; fewer where those end
    /// too early.
    func part(of count: Int, from start: UInt64) -> Range<Int> {
        let from = min(Int(offset - start), count)
        return from..<min(from + Int(storedLength), count)
    }
}
