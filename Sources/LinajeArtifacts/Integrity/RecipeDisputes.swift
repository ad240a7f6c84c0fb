import LinajeDomain
import LinajePluginKit
import Synchronization

/// Decides between recipes of one file that differ.
///
/// A recipe names a file and the chunks that make it, and nothing in it proves that they do; a pack of
/// a remote may hold any. What a daemon cuts itself is right and takes the place of what was known
/// (`ChunkIndex.insert`). Between recipes of other hands the content decides: the file is read as each
/// of them says, and compared with its digest. Until that has been done, the file is in dispute, which
/// the index remembers, and collections keep the packs that have a recipe of it.
struct RecipeDisputes {
    /// What is known of a recipe.
    enum Proof: Sendable {
        case right
        case wrong
        /// What it needs is not here, or damaged.
        case open
    }

    /// Files that are looked for in one pass over the packs.
    private static let filesPerPass = 1_024
    /// Recipes of one file that are tried, besides the one of the index.
    private static let mostCandidates = 8

    let store: ArtifactStore

    /// Settles all disputes that the index remembers, as far as it can be done.
    ///
    /// - Parameter wrong: told of each file that has a wrong recipe and no right one.
    func settleAll(wrong: (SHA256Digest) async throws -> Void) async throws {
        var last: SHA256Digest?
        while true {
            let page = try await store.index.disputes(after: last, limit: Self.filesPerPass)
            for (file, proof) in try await settle(page) where proof == .wrong {
                try await wrong(file)
            }
            guard page.count == Self.filesPerPass else { return }
            last = page.last
        }
    }

    /// Makes the index have the right recipes of files, where any pack has them.
    ///
    /// - Returns: what is known then of the recipe that it has, by file.
    func settle(_ files: [SHA256Digest]) async throws -> [(file: SHA256Digest, proof: Proof)] {
        guard !files.isEmpty else { return [] }
        let known = try await store.index.locate(.recipe, files)
        let candidates = try await candidates(files, besides: known)
        var out: [(SHA256Digest, Proof)] = []
        for file in files {
            let proof = try await settle(file, known[file], candidates[file] ?? [])
            if proof == .right { try await store.index.endDispute(file) }
            store.recipes.forget([file])
            out.append((file, proof))
        }
        return out
    }

    private func settle(
        _ file: SHA256Digest, _ known: BlobLocation?, _ candidates: [(PackName, PackEntry)]
    ) async throws -> Proof {
        let proof = if let known { try await prove(known) } else { Proof.open }
        guard proof != .right else { return .right }
        var isOpen = proof == .open
        for (pack, entry) in candidates {
            switch try await prove(BlobLocation(entry, in: pack)) {
            case .right:
                return try await store.index.supersede(entry, in: pack) ? .right : .open
            case .open: isOpen = true
            case .wrong: break
            }
        }
        return isOpen ? .open : .wrong
    }

    /// Other recipes that packs have of files: of a pack the one that counts, the first.
    private func candidates(
        _ files: [SHA256Digest], besides known: [SHA256Digest: BlobLocation]
    ) async throws -> [SHA256Digest: [(PackName, PackEntry)]] {
        let wanted = Set(files)
        var seen = known.mapValues { Set([$0.check]) }
        var out: [SHA256Digest: [(PackName, PackEntry)]] = [:]
        for pack in try await store.index.packs().keys.sorted() {
            try Task.checkCancellation()
            guard let header = try? await store.reader.header(of: pack) else { continue }
            var named: Set<SHA256Digest> = []
            for entry in header.entries
            where entry.key.kind == .recipe && wanted.contains(entry.key.digest) {
                let file = entry.key.digest
                guard named.insert(file).inserted,
                    seen[file, default: []].insert(entry.check).inserted,
                    out[file, default: []].count < Self.mostCandidates
                else { continue }
                out[file, default: []].append((pack, entry))
            }
        }
        return out
    }

    /// Reads the file as a recipe says.
    ///
    /// - Throws: `CancellationError` only.
    private func prove(_ location: BlobLocation) async throws -> Proof {
        do {
            let stored = try await store.reader.bytes(of: location.pack, location.range)
            let recipe = try await store.pool.run {
                try Recipe(
                    try BlobReader.content(stored, at: location), of: location.key.digest)
            }
            guard recipe.size <= Limits.fileBytes else { return .wrong }
            let pieces = VerifiedRead(
                file: location.key.digest, recipe: recipe, range: 0..<recipe.size,
                index: store.index, reader: store.reader, pool: store.pool, checksFile: false)
            var hasher = ContentHasher()
            for try await piece in pieces {
                try Task.checkCancellation()
                hasher.update(piece)
            }
            return hasher.digest == location.key.digest ? .right : .wrong
        } catch {
            try Task.checkCancellation()
            return .open
        }
    }
}

extension ArtifactStore {
    /// Settles what is in dispute.
    ///
    /// - Parameter wrong: told of each file that has a wrong recipe and no right one.
    func settleDisputes(
        wrong: (SHA256Digest) async throws -> Void = { _ in }
    ) async throws {
        try await RecipeDisputes(store: self).settleAll(wrong: wrong)
    }

    /// Looks for a better recipe of a file that was found to be wrong, once in a while.
    ///
    /// - Returns: whether the index has the right one now.
    func settle(wrong file: SHA256Digest) async throws -> Bool {
        let now = clock.now()
        let isDue = settled.withLock { settled in
            if let last = settled.value(file), now.microseconds - last.microseconds < 60_000_000 {
                return false
            }
            settled.insert(now, weight: 1, for: file)
            return true
        }
        guard isDue else { return false }
        try await index.beginDispute(file)
        let proofs = try await RecipeDisputes(store: self).settle([file])
        return proofs.first?.proof == .right
    }
}
