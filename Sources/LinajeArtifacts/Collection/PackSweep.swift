import LinajeDomain
import LinajePluginKit

/// Takes packs away of which nothing is needed, and writes anew what is left of those of which half
/// is not.
///
/// Blobs are copied as they stand, checked against their keys; what is condemned and may still be had
/// back is copied too, and stays condemned.
struct PackSweep {
    /// Blobs that one transaction moves or drops, at most, but for those of one pack.
    private static let blobsPerTurn = 8_192

    let store: ArtifactStore
    /// What was condemned by then may go.
    let cutoff: Timestamp
    /// Packs that stay as they are: they have recipes of files in dispute, of which one is right.
    let held: Set<PackName>
    private var rewriter: PackRewriter
    private var sizes: [PackName: UInt64] = [:]

    init(store: ArtifactStore, cutoff: Timestamp, held: Set<PackName>) {
        self.store = store
        self.cutoff = cutoff
        self.held = held
        rewriter = PackRewriter(store: store)
    }

    mutating func run(
        _ sum: inout CollectionSum, progress: (CollectionSum) async throws -> Void
    ) async throws {
        for share in try await store.index.condemnedShares(by: cutoff)
        where !held.contains(share.pack) {
            let blobs = try await store.index.blobs(in: share.pack)
            let dead = blobs.filter { blob in
                guard let since = blob.condemnedAt, since <= cutoff else { return false }
                return !store.uses.contains(blob.location.key)
            }
            let isEmpty = dead.count == blobs.count
            guard !dead.isEmpty, isEmpty || share.condemnedBytes >= share.size / 2 else { continue }
            if rewriter.blobCount + blobs.count > Self.blobsPerTurn {
                try await finish(&sum)
            }
            let gone = Set(dead.map(\.location.key))
            let live = blobs.filter { !gone.contains($0.location.key) }.map(\.location)
            do {
                try await rewriter.add(
                    share.pack, keeping: live, dropping: Array(gone), condemnedBy: cutoff)
                sizes[share.pack] = share.size
            } catch let error as LinajeError where [.corrupt, .incomplete].contains(error.code) {
                sum.findings.append(error.message)
            }
            if rewriter.isFull { try await finish(&sum) }
            try await progress(sum)
        }
        try await finish(&sum)
        if sum.removedPacks > 0 { store.emptyCaches() }
        try await store.observer?(.swept)
        try await PackRemoval(store: store).run()
    }

    private mutating func finish(_ sum: inout CollectionSum) async throws {
        guard !rewriter.isEmpty else { return }
        try await store.observer?(.sweeping)
        if let done = try await rewriter.finish() {
            let old = done.packs.reduce(0) { $0 + (sizes[$1] ?? 0) }
            sum.removedPacks += UInt64(done.packs.count)
            sum.rewrittenPacks += UInt64(done.rewritten)
            sum.freedBytes += old - min(old, done.newSize)
        }
        sizes = [:]
    }
}
