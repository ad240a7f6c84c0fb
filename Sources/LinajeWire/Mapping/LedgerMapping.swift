import FoundationEssentials
package import LinajeDomain

extension Linaje_V1_Event {
    package init(_ event: LedgerEvent) {
        self.init()
        sequence = event.sequence
        canonical = Data(event.canonical)
        previousHash = event.previousHash.data
        hash = event.hash.data
    }
}

extension LedgerEvent {
    /// - Throws: `invalidArgument` for a hash that has not 32 bytes.
    package init(_ message: Linaje_V1_Event) throws {
        self.init(
            sequence: message.sequence, canonical: Array(message.canonical),
            previousHash: try SHA256Digest(
                message.previousHash, noun: "previous_hash of event \(message.sequence)"),
            hash: try SHA256Digest(message.hash, noun: "hash of event \(message.sequence)"))
    }
}

extension Linaje_V1_VerifyLedgerResponse {
    package init(_ verification: LedgerVerification) {
        self.init()
        events = verification.events
        firstBad = verification.firstBad
        finding = verification.finding
        if let hash = verification.head { head = hash.data }
    }
}

extension LedgerVerification {
    /// - Throws: `invalidArgument` for a head that has neither 0 nor 32 bytes.
    package init(_ message: Linaje_V1_VerifyLedgerResponse) throws {
        self.init(
            events: message.events, firstBad: message.firstBad, finding: message.finding,
            head: try SHA256Digest.orNil(message.head, noun: "head of the ledger"))
    }
}
