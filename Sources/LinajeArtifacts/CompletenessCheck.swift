import LinajeDomain
import LinajePluginKit

/// Looks for the chunks of files in the index and for their packs in the backend, many at a time.
struct CompletenessCheck {
    /// Chunks that the index is asked for at a time.
    private static let chunksPerLookup = 1_024

    private let backend: any ArtifactBackend
    private let index: ChunkIndex
    /// Who counts on what is found, `nil`: nobody.
    private let uses: BlobUses?
    /// The packs that the index knows, with their sizes in bytes.
    private let packs: [PackName: UInt64]
    private var present: Set<PackName> = []
    /// Chunks to look for, each with the first file that needs it.
    private var wanted: [SHA256Digest: TreeEntry] = [:]

    init(
        backend: any ArtifactBackend, index: ChunkIndex, packs: [PackName: UInt64],
        uses: BlobUses?
    ) {
        self.backend = backend
        self.index = index
        self.uses = uses
        self.packs = packs
    }

    /// Adds the chunks of a file.
    ///
    /// - Throws: `incomplete` naming a file, this one or one before it.
    mutating func add(_ recipe: Recipe, of entry: TreeEntry) async throws {
        for chunk in recipe.chunks {
            if wanted[chunk.digest] == nil { wanted[chunk.digest] = entry }
            if wanted.count >= CompletenessCheck.chunksPerLookup { try await finish() }
        }
    }

    /// Looks for what was added last.
    ///
    /// - Throws: `incomplete` naming a file.
    mutating func finish() async throws {
        if let uses { try await index.claim(.chunk, Array(wanted.keys), noting: uses) }
        let found = try await index.locate(.chunk, Array(wanted.keys))
        for (chunk, entry) in wanted {
            guard let pack = found[chunk]?.pack else {
                throw ArtifactStore.incomplete(entry, "lacks chunk \(chunk)")
            }
            guard !present.contains(pack) else { continue }
            let size = try await backend.stat(pack.key)
            // A pack that was entered after the list was made is as new as can be.
            guard let size, packs[pack] == nil || packs[pack] == size else {
                throw ArtifactStore.incomplete(entry, "lacks \(pack.key)")
            }
            present.insert(pack)
        }
        wanted = [:]
    }
}
