import Crypto

/// The first 8 bytes of a SHA-256, as a check has them. What `BlobCheck(ContentHasher.digest(…))` is,
/// without what that costs in a debug build: it is asked for millions of times.
func checkWord(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBytes { bytes in
        var state = SHA256()
        state.update(bufferPointer: bytes)
        return state.finalize().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }
}
