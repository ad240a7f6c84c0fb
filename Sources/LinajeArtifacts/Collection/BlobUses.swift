import LinajeDomain
import Synchronization

/// What writers count on that nothing in the catalog refers to yet.
///
/// A writer that finds a blob stored already does not store it again; until its tree is committed
/// only this object knows that the blob is needed. A writer holds a `BlobUse` from before it asks
/// the first time until after its commit, and every blob it asks for is noted *before* the index is
/// asked. So whoever condemns a blob and then finds it noted here takes the condemnation back, and
/// whoever notes it later finds it condemned and rescues it.
///
/// ```
/// older ── noted before `newer` began; dropped when all uses from then are over
/// newer ── noted since
/// ```
/// Memory is bounded whatever is noted: the filters claim more than was noted when they are full.
package final class BlobUses: Sendable {
    /// What the notes of one generation may take.
    static let maximumBytes = 8 << 20
    /// Notes after which a generation is closed when it can be.
    static let notesPerGeneration = 65_536

    private struct State {
        var generation: UInt64 = 0
        var older = BlobFilter(maximumBytes: BlobUses.maximumBytes)
        var newer = BlobFilter(maximumBytes: BlobUses.maximumBytes)
        /// Uses that began before `newer` did, and since.
        var olderUses = 0
        var newerUses = 0
        /// Collections that are at work: meanwhile nothing is dropped.
        var holds = 0
        /// Files that are read, with how often.
        var reading: [SHA256Digest: Int] = [:]
        /// Trees whose files somebody may be about to read, with until when.
        var leases: [SHA256Digest: Timestamp] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Begins a use; it ends with the value, or with `end`.
    package func begin() -> BlobUse {
        let generation = state.withLock { state in
            Self.turn(&state, after: Self.notesPerGeneration)
            state.newerUses += 1
            return state.generation
        }
        return BlobUse(self, generation: generation)
    }

    func end(generation: UInt64) {
        state.withLock { state in
            if generation == state.generation {
                state.newerUses -= 1
            } else {
                state.olderUses -= 1
            }
            Self.turn(&state, after: Self.notesPerGeneration)
        }
    }

    /// Notes blobs that a use counts on.
    func note(_ kind: BlobKind, _ digests: some Sequence<SHA256Digest>) {
        state.withLock { state in
            for digest in digests { state.newer.insert(BlobKey(kind, digest)) }
        }
    }

    /// Whether a use may count on the blob.
    func contains(_ key: BlobKey) -> Bool {
        state.withLock { $0.newer.contains(key) || $0.older.contains(key) }
    }

    /// Keeps everything that is noted from now on, and what uses that are not over have noted, until
    /// `release`.
    func hold() {
        state.withLock { state in
            // What nobody counts on any more goes first.
            for _ in 0..<2 { Self.turn(&state, after: 0) }
            state.holds += 1
        }
    }

    func release() { state.withLock { $0.holds -= 1 } }

    // MARK: Reading

    /// Begins to read a file.
    ///
    /// - Returns: whether a collection is at work, so that the file's chunks must be noted too.
    func beginReading(_ file: SHA256Digest) -> Bool {
        state.withLock { state in
            state.reading[file, default: 0] += 1
            return state.holds > 0
        }
    }

    func endReading(_ file: SHA256Digest) {
        state.withLock { state in
            let count = (state.reading[file] ?? 1) - 1
            state.reading[file] = count > 0 ? count : nil
        }
    }

    /// The files that are read now.
    var reading: [SHA256Digest] { state.withLock { Array($0.reading.keys) } }

    /// Keeps a tree for whoever downloads its files.
    func lease(_ tree: SHA256Digest, until moment: Timestamp) {
        state.withLock { state in
            if state.leases[tree] == nil, state.leases.count >= Limits.downloadLeases,
                let first = state.leases.min(by: { $0.value < $1.value })
            {
                state.leases[first.key] = nil
            }
            state.leases[tree] = moment
        }
    }

    /// The trees that are kept so.
    func leases(at now: Timestamp) -> [SHA256Digest] {
        state.withLock { state in
            state.leases = state.leases.filter { $0.value > now }
            return Array(state.leases.keys)
        }
    }

    /// Begins a generation, if the uses from before the last one are over.
    private static func turn(_ state: inout State, after notes: Int) {
        guard state.holds == 0, state.olderUses == 0,
            state.newer.count > notes || (notes == 0 && !state.older.isEmpty)
        else { return }
        state.generation += 1
        state.older = state.newer
        state.olderUses = state.newerUses
        state.newer = BlobFilter(maximumBytes: maximumBytes)
        state.newerUses = 0
    }
}

/// That somebody counts on blobs which the catalog does not refer to yet; over when it is `end`ed or
/// let go.
package final class BlobUse: Sendable {
    private let uses: BlobUses
    private let generation: UInt64
    private let isOver = Atomic<Bool>(false)

    fileprivate init(_ uses: BlobUses, generation: UInt64) {
        self.uses = uses
        self.generation = generation
    }

    deinit { end() }

    /// Ends it; again makes no difference.
    package func end() {
        guard !isOver.exchange(true, ordering: .relaxed) else { return }
        uses.end(generation: generation)
    }
}

/// That a file is read; over when it is let go.
final class FileReading: Sendable {
    private let uses: BlobUses
    private let file: SHA256Digest

    init(_ uses: BlobUses, file: SHA256Digest, recipe: Recipe) {
        self.uses = uses
        self.file = file
        if uses.beginReading(file) { uses.note(.chunk, recipe.chunks.lazy.map(\.digest)) }
    }

    deinit { uses.endReading(file) }
}
