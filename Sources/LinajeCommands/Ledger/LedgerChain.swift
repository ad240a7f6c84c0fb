import Crypto
import LinajeDomain

/// Recomputes the chain of events: each event's hash is
/// SHA-256("linaje event 1" LF ‖ previous hash ‖ sequence as u64 BE ‖ canonical bytes)
/// (`proto-spec/STORAGE.md`, "Events").
struct LedgerChain {
    /// Events that fit so far.
    private(set) var count: UInt64 = 0
    /// The hash of the last of them; `nil` before the first.
    private(set) var head: LinajeDomain.SHA256Digest?

    /// What is wrong with the event, or `nil` when it fits after the ones before it.
    mutating func add(_ event: LedgerEvent) -> String? {
        guard event.sequence == count + 1 else {
            return "its number is \(event.sequence), not \(count + 1)"
        }
        let previous = head?.bytes ?? [UInt8](repeating: 0, count: 32)
        guard event.previousHash.bytes == previous else {
            return "its previous hash is not the hash of the event before it"
        }
        var hasher = SHA256()
        hasher.update(data: Array("linaje event 1\n".utf8))
        hasher.update(data: previous)
        withUnsafeBytes(of: event.sequence.bigEndian) { hasher.update(bufferPointer: $0) }
        hasher.update(data: event.canonical)
        guard Array(hasher.finalize()) == event.hash.bytes else {
            return "its hash does not match its content"
        }
        count = event.sequence
        head = event.hash
        return nil
    }
}
