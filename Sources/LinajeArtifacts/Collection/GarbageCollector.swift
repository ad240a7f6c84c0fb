package import LinajeDomain
import LinajePluginKit

/// Frees what nothing needs, with writers alive.
///
/// ```
/// hold ─▶ mark ─▶ rescue what is needed again ─▶ remove what has been condemned for long
///              └────────────────────────────────▶ condemn what is not marked ─▶ look again
/// ```
/// A blob goes only when one collection condemned it, a later one, after the grace time, found it
/// still not needed, and nobody asked for it in between: whoever puts content that is condemned takes
/// it back in a transaction of his own. A blob that a writer had found before it was condemned is
/// noted in `BlobUses`, which is asked in the transaction and once more after it. A daemon that dies
/// leaves condemned blobs, which are read like others, and packs that are on the list of removals.
///
/// Every transaction is bounded (`ChunkIndex.rowsPerTurn`, or the blobs of a few packs), memory too:
/// a filter, a page of blobs, a pack.
package struct GarbageCollector: Sendable {
    let store: ArtifactStore
    let roots: any TreeRoots
    private var index: ChunkIndex { store.index }

    package init(store: ArtifactStore, roots: any TreeRoots) {
        self.store = store
        self.roots = roots
    }

    /// Collects once; one collection or repair at a time.
    ///
    /// - Throws: `failedPrecondition` when it is not known what is needed; then nothing was freed.
    package func collect(
        _ options: CollectionOptions, report: (CollectionNews) async throws -> Void
    ) async throws -> CollectionSum {
        func waiting(_ others: String) async throws {
            var sum = CollectionSum()
            sum.waitingFor = others
            try await report(.progress(sum))
        }
        return try await store.upkeep.take("a collection", waiting: waiting) {
            store.uses.hold()
            defer { store.uses.release() }
            var sum = CollectionSum()
            if !options.isDryRun {
                try await PackRemoval(store: store).run()
                try await store.settleDisputes()
            }
            let marking = try await mark(options, &sum, report)
            let moment = store.clock.now()
            if options.isDryRun {
                try await survey(marking.marks, &sum, report)
                let shares = try await index.condemnedShares(by: options.cutoff(at: moment))
                sum.freedBytes = shares.reduce(0) { $0 + $1.condemnedBytes }
            } else {
                try await rescue(marking.marks, &sum)
                var sweep = PackSweep(
                    store: store, cutoff: options.cutoff(at: moment), held: marking.held)
                try await sweep.run(&sum) { try await report(.progress($0)) }
                if options.explains { try await explain(marking.marks, report) }
                try await condemn(marking.marks, at: moment, &sum, report)
                store.reader.metrics.collected(sum)
            }
            sum.waitingBytes = try await index.condemnedShares(
                by: Timestamp(microseconds: .max)
            ).reduce(0) { $0 + $1.condemnedBytes }
            return sum
        }
    }

    /// Takes all condemnations back.
    ///
    /// - Parameters:
    ///   - waiting: told what it waits for.
    ///   - saved: told of trees that are saved, a page at a time, before they are.
    /// - Returns: blobs that are not condemned any more, and their bytes in packs.
    package func undo(
        waiting: (String) async throws -> Void = { _ in },
        saved: ([SHA256Digest]) async throws -> Void
    ) async throws -> (blobs: UInt64, bytes: UInt64) {
        try await store.upkeep.take("the undoing of collections", waiting: waiting) {
            var sum: (blobs: UInt64, bytes: UInt64) = (0, 0)
            while true {
                let page = try await index.condemned(after: nil).map(\.1)
                guard !page.isEmpty else { return sum }
                try await saved(page.filter { $0.key.kind == .tree }.map(\.key.digest))
                try await rescue(page.map(\.key))
                sum.blobs += UInt64(page.count)
                sum.bytes += page.reduce(0) { $0 + UInt64($1.storedLength) }
            }
        }
    }

    // MARK: Steps

    private func mark(
        _ options: CollectionOptions, _ sum: inout CollectionSum,
        _ report: (CollectionNews) async throws -> Void
    ) async throws -> Marking {
        var marking = try await Marking(store: store, roots: roots)
        sum.totalBlobs = UInt64(try await index.blobCount())
        try await marking.run(
            found: { root in
                guard options.explains, let tree = root.tree else { return }
                try await report(
                    .tree(
                        TreeVerdict(
                            digest: root.digest, files: UInt64(tree.files), size: tree.size,
                            isKept: true)))
            },
            progress: { [sum] _, _ in try await report(.progress(sum)) })
        sum.roots = UInt64(marking.rootCount)
        sum.findings += marking.losses
        guard marking.lossCount == 0 || options.acceptsLosses || options.isDryRun else {
            throw LinajeError(
                .failedPrecondition,
                "nothing is collected: \(marking.lossCount) needed things are lost "
                    + "(\(marking.losses.first ?? "")), and what is near them may be all that is left; "
                    + "restore them, delete what refers to them, or say --despite-losses")
        }
        return marking
    }

    /// Takes condemnations back of what is needed again.
    private func rescue(_ marks: BlobFilter, _ sum: inout CollectionSum) async throws {
        var last: CondemnedPlace?
        repeat {
            let page = try await index.condemned(after: last)
            let needed = page.map(\.1.key).filter {
                marks.contains($0) || store.uses.contains($0)
            }
            try await rescue(needed)
            sum.rescued += UInt64(needed.count)
            last = page.count < ChunkIndex.rowsPerTurn ? nil : page.last?.0
        } while last != nil
    }

    private func rescue(_ keys: [BlobKey]) async throws {
        for kind in BlobKind.indexed {
            let digests = keys.filter { $0.kind == kind }.map(\.digest)
            if !digests.isEmpty { _ = try await index.rescue(kind, digests) }
        }
    }

    private func condemn(
        _ marks: BlobFilter, at moment: Timestamp, _ sum: inout CollectionSum,
        _ report: (CollectionNews) async throws -> Void
    ) async throws {
        let (uses, roots) = (store.uses, roots)
        for kind in BlobKind.indexed.reversed() {
            var last: SHA256Digest?
            repeat {
                let page = try await index.blobs(of: kind, after: last)
                let lengths = Dictionary(
                    page.map { ($0.key, UInt64($0.storedLength)) },
                    uniquingKeysWith: { first, _ in first })
                let keys = page.filter { $0.condemnedAt == nil && !marks.contains($0.key) }
                    .map(\.key)
                try await store.observer?(.condemning)
                if !keys.isEmpty {
                    let condemned = try await index.condemn(keys, at: moment) { key, connection in
                        if uses.contains(key) { return true }
                        guard key.kind != .chunk else { return false }
                        return try roots.isNeeded(key.digest, connection)
                    }
                    try await store.observer?(.condemned)
                    // Whoever noted it before this saw it not condemned, perhaps.
                    let needed = condemned.filter { uses.contains($0) }
                    try await rescue(needed)
                    let gone = Set(condemned).subtracting(needed)
                    sum.condemned += UInt64(gone.count)
                    sum.condemnedBytes += gone.reduce(0) { $0 + (lengths[$1] ?? 0) }
                }
                sum.blobs += UInt64(page.count)
                try await report(.progress(sum))
                last = page.count < ChunkIndex.rowsPerTurn ? nil : page.last?.key.digest
            } while last != nil
        }
    }

    // MARK: Dry runs

    /// Counts what `condemn` would condemn.
    private func survey(
        _ marks: BlobFilter, _ sum: inout CollectionSum,
        _ report: (CollectionNews) async throws -> Void
    ) async throws {
        try await explain(marks, report)
        for kind in BlobKind.indexed.reversed() {
            var last: SHA256Digest?
            repeat {
                let page = try await index.blobs(of: kind, after: last)
                for blob in page
                where !marks.contains(blob.key) && !store.uses.contains(blob.key) {
                    guard blob.condemnedAt == nil else { continue }
                    sum.condemned += 1
                    sum.condemnedBytes += UInt64(blob.storedLength)
                }
                sum.blobs += UInt64(page.count)
                try await report(.progress(sum))
                last = page.count < ChunkIndex.rowsPerTurn ? nil : page.last?.key.digest
            } while last != nil
        }
    }

    /// Tells of the trees that nothing needs.
    private func explain(
        _ marks: BlobFilter, _ report: (CollectionNews) async throws -> Void
    ) async throws {
        var last: SHA256Digest?
        repeat {
            let page = try await index.blobs(of: .tree, after: last)
            for blob in page
            where !marks.contains(blob.key) && !store.uses.contains(blob.key) {
                try await report(.tree(try await verdict(on: blob, marks)))
            }
            last = page.count < ChunkIndex.rowsPerTurn ? nil : page.last?.key.digest
        } while last != nil
    }

    /// What would be freed with a tree; what cannot be read of it does not count.
    private func verdict(on blob: IndexedBlob, _ marks: BlobFilter) async throws -> TreeVerdict {
        var verdict = TreeVerdict(
            digest: blob.key.digest, files: 0, size: 0, isKept: false,
            condemnedAt: blob.condemnedAt, freed: UInt64(blob.storedLength))
        guard let tree = try? await store.tree(blob.key.digest) else { return verdict }
        verdict.files = UInt64(tree.entries.count)
        verdict.size = tree.size
        var seen = BlobFilter(expecting: tree.entries.count, maximumBytes: 8 << 20)
        for entry in tree.entries {
            let key = BlobKey(.recipe, entry.sha256)
            guard !marks.contains(key), !seen.contains(key) else { continue }
            seen.insert(key)
            guard let recipe = try? await store.recipe(entry.sha256) else { continue }
            var wanted: [SHA256Digest] = []
            for chunk in recipe.chunks {
                let key = BlobKey(.chunk, chunk.digest)
                guard !marks.contains(key), !seen.contains(key) else { continue }
                seen.insert(key)
                wanted.append(chunk.digest)
            }
            let chunks = try await index.locate(.chunk, wanted)
            let recipes = try await index.locate(.recipe, [entry.sha256])
            verdict.freed += (Array(chunks.values) + recipes.values)
                .reduce(0) { $0 + UInt64($1.storedLength) }
        }
        return verdict
    }
}

extension CollectionOptions {
    /// What was condemned by then may go.
    func cutoff(at moment: Timestamp) -> Timestamp {
        Timestamp(
            microseconds: moment.microseconds
                .subtractingReportingOverflow(grace.components.seconds &* 1_000_000).partialValue)
    }
}
