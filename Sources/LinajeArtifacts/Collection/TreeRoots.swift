package import LinajeDomain
package import LinajePluginKit

/// Content that something needs.
package struct TreeRoot: Sendable, Hashable {
    /// Of a tree, or of a file.
    package var digest: SHA256Digest
    /// Whether it must be stored here; the files of a data set may be elsewhere.
    package var isOurs: Bool

    package init(digest: SHA256Digest, isOurs: Bool) {
        self.digest = digest
        self.isOurs = isOurs
    }
}

/// Says what is needed of a store: runs, versions, logged models, data sets, holds, leases.
package protocol TreeRoots: Sendable {
    /// What is needed, in the order of the digests, after one of them; fewer than `limit`: the last.
    func roots(after last: SHA256Digest?, limit: Int) async throws -> [TreeRoot]

    /// Whether one tree or file is needed, in a transaction of the database that the chunk index is
    /// in.
    func isNeeded(_ digest: SHA256Digest, _ connection: any SQLConnection) throws -> Bool
}
