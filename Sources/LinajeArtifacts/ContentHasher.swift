import Crypto
package import LinajeDomain

/// A running SHA-256 that ends in the domain's digest.
///
/// It stands between the two types that are called `SHA256Digest`, the domain's and Crypto's.
package struct ContentHasher: Sendable {
    private var state = SHA256()

    package init() {}

    /// Adds bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state.update(bufferPointer: bytes)
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
    }

    /// The digest of everything added so far; more may be added afterwards.
    package var digest: LinajeDomain.SHA256Digest {
        let value = state.finalize()
        guard let digest = LinajeDomain.SHA256Digest(Array(value)) else {
            preconditionFailure("a SHA-256 has 32 bytes")
        }
        return digest
    }

    /// The digest of `bytes`.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> LinajeDomain.SHA256Digest {
        var hasher = ContentHasher()
        hasher.update(bytes)
        return hasher.digest
    }

    /// The digest of `bytes`.
    package static func digest(_ bytes: [UInt8]) -> LinajeDomain.SHA256Digest {
        var hasher = ContentHasher()
        hasher.update(bytes)
        return hasher.digest
    }
}
