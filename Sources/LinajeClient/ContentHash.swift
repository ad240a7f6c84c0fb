import Crypto
import LinajeDomain

/// A SHA-256 in the making; a value, so that it can go from thread to thread.
struct ContentHash: Sendable {
    private var hasher = SHA256()

    mutating func update(_ bytes: [UInt8]) { hasher.update(data: bytes) }

    /// The digest of all bytes so far.
    ///
    /// - Throws: never in practice: a SHA-256 has 32 bytes.
    func digest() throws -> LinajeDomain.SHA256Digest {
        try LinajeDomain.SHA256Digest(Array(hasher.finalize()), noun: "SHA-256")
    }

    /// The digest of bytes that are all there.
    static func digest(of bytes: [UInt8]) throws -> LinajeDomain.SHA256Digest {
        var hash = ContentHash()
        hash.update(bytes)
        return try hash.digest()
    }
}
