package import LinajeDomain

/// A file that was put.
package struct IngestedFile: Sendable, Hashable {
    /// The file, as its tree will hold it.
    package var entry: TreeEntry
    /// How many chunks it has.
    package var chunks: Int
    /// Bytes of those chunks that the store did not have.
    package var newBytes: UInt64

    package init(entry: TreeEntry, chunks: Int, newBytes: UInt64) {
        self.entry = entry
        self.chunks = chunks
        self.newBytes = newBytes
    }
}

/// A tree that is durable, with all its files.
package struct StoredTree: Sendable, Hashable {
    package var digest: SHA256Digest
    /// How many entries it has.
    package var files: Int
    /// Sum of their sizes in bytes.
    package var size: UInt64

    package init(digest: SHA256Digest, files: Int, size: UInt64) {
        self.digest = digest
        self.files = files
        self.size = size
    }
}

/// How full the store is.
package struct ArtifactStatistics: Sendable, Hashable {
    /// Chunks in the store.
    package var chunks: UInt64
    /// Bytes those chunks take in pack files.
    package var storedBytes: UInt64
    /// Bytes those chunks hold.
    package var contentBytes: UInt64
    /// Pack files.
    package var packs: UInt64

    package init(
        chunks: UInt64 = 0, storedBytes: UInt64 = 0, contentBytes: UInt64 = 0, packs: UInt64 = 0
    ) {
        self.chunks = chunks
        self.storedBytes = storedBytes
        self.contentBytes = contentBytes
        self.packs = packs
    }
}

/// Something in a pack that is not as it was written.
package struct ArtifactDamage: Sendable, Hashable {
    /// The pack's key in the backend: "packs/ab/abcd….pack".
    package var pack: String
    /// The blob; `nil` when the pack itself is damaged.
    package var blob: BlobKey?
    /// What is wrong.
    package var finding: String

    package init(pack: String, blob: BlobKey? = nil, finding: String) {
        self.pack = pack
        self.blob = blob
        self.finding = finding
    }
}

/// What a check of all packs found.
package struct ArtifactVerification: Sendable, Hashable {
    /// Packs looked at.
    package var packs = 0
    /// Blobs whose content was read and is right.
    package var blobs = 0
    /// Everything that is not right, by pack.
    package var damages: [ArtifactDamage] = []

    package init() {}
}
