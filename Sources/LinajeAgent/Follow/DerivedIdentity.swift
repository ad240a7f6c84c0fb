import Crypto
package import LinajeDomain

/// Identifiers that follow from what they name, so that they are found again after a restart without
/// anything being written down.
package enum DerivedIdentity {
    /// The first 16 bytes of the SHA-256 of the parts, each with its length before it.
    package static func make<Identity: Identifier>(_ parts: [String]) -> Identity {
        var hasher = SHA256()
        for part in ["linaje-agent"] + parts {
            hasher.update(data: Array("\(part.utf8.count):".utf8))
            hasher.update(data: Array(part.utf8))
        }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in hasher.finalize().prefix(16).enumerated() {
            if index < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
        }
        return Identity(bytes: Bytes16(high: words.0, low: words.1))
    }

    /// The SHA-256 of some bytes, in hex.
    static func fingerprint(_ bytes: [UInt8]) -> String { Hex.encode(SHA256.hash(data: bytes)) }
}
