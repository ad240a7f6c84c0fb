/// That content is kept whatever becomes of what it belongs to.
public struct Hold: Sendable, Hashable {
    /// The digest of the tree.
    public var tree: SHA256Digest
    /// Why it is kept.
    public var reason: String
    /// Who said so.
    public var principal: String
    public var placedAt: Timestamp

    public init(tree: SHA256Digest, reason: String, principal: String, placedAt: Timestamp) {
        self.tree = tree
        self.reason = reason
        self.principal = principal
        self.placedAt = placedAt
    }
}
