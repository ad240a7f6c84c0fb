/// What a collection is to do.
public struct CollectionOptions: Sendable, Hashable {
    /// Only say what would be done.
    public var isDryRun: Bool
    /// Tell of each tree.
    public var explains: Bool
    /// How long condemned content stays, and can be had back.
    public var grace: Duration
    /// Collect also when needed content is lost: what was near it may go then.
    public var acceptsLosses: Bool

    public init(
        isDryRun: Bool = false, explains: Bool = false, grace: Duration = Limits.collectionGrace,
        acceptsLosses: Bool = false
    ) {
        self.isDryRun = isDryRun
        self.explains = explains
        self.grace = grace
        self.acceptsLosses = acceptsLosses
    }
}

/// What a collection does with a tree, and why as far as the store knows.
public struct TreeVerdict: Sendable, Hashable {
    public var digest: SHA256Digest
    public var files: UInt64
    /// Bytes of its files.
    public var size: UInt64
    public var isKept: Bool
    /// Since when it is condemned; `nil`: it is not, or is only now.
    public var condemnedAt: Timestamp?
    /// Bytes in packs that nothing else that is kept needs; 0 for a tree that is kept.
    public var freed: UInt64
    /// What needs it, for people.
    public var reasons: [String] = []

    public init(
        digest: SHA256Digest, files: UInt64, size: UInt64, isKept: Bool,
        condemnedAt: Timestamp? = nil, freed: UInt64 = 0
    ) {
        self.digest = digest
        self.files = files
        self.size = size
        self.isKept = isKept
        self.condemnedAt = condemnedAt
        self.freed = freed
    }
}

/// What a collection has come to.
public struct CollectionSum: Sendable, Hashable {
    /// Needed trees and files.
    public var roots: UInt64 = 0
    /// Blobs looked at, and how many there are.
    public var blobs: UInt64 = 0
    public var totalBlobs: UInt64 = 0
    /// Blobs that were condemned now, and their bytes in packs.
    public var condemned: UInt64 = 0
    public var condemnedBytes: UInt64 = 0
    /// Blobs that were condemned before and are needed again.
    public var rescued: UInt64 = 0
    /// Bytes in packs that are condemned in all, and wait.
    public var waitingBytes: UInt64 = 0
    /// Packs that were removed, those of them whose rest was written anew, and bytes given back.
    public var removedPacks: UInt64 = 0
    public var rewrittenPacks: UInt64 = 0
    public var freedBytes: UInt64 = 0
    /// What kept the collection from something.
    public var findings: [String] = []
    /// What it waits for before it begins: "a backup that began at …"; empty: nothing.
    public var waitingFor = ""
    /// Whether this is the last word.
    public var isFinished = false

    public init() {}
}

/// What a collection tells while it works.
public enum CollectionNews: Sendable, Hashable {
    case progress(CollectionSum)
    case tree(TreeVerdict)
}
