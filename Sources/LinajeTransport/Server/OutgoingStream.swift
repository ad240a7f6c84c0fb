/// What the client may still be sent on a stream, and what waits for that.
struct OutgoingStream {
    /// Data whose sender waits until it has left.
    struct Waiting {
        var payload: [UInt8]
        var continuation: CheckedContinuation<Void, any Error>
    }

    /// Bytes of data a client takes on a new stream without a credit frame (PROTOCOL.md).
    private static let firstCredit = 262_144

    private var credit = firstCredit
    private(set) var waiting: [Waiting] = []
    /// Data that only counts if nothing newer comes.
    private(set) var latest: [UInt8]?

    /// The client grants bytes.
    mutating func grant(_ bytes: Int) {
        let (sum, overflow) = credit.addingReportingOverflow(bytes)
        credit = overflow ? Int.max : sum
    }

    /// Takes credit for `count` bytes that are to leave now, behind nothing that waits.
    mutating func spend(_ count: Int) -> Bool {
        guard waiting.isEmpty, credit >= count else { return false }
        credit -= count
        return true
    }

    mutating func wait(_ waiting: Waiting) { self.waiting.append(waiting) }

    mutating func keepLatest(_ payload: [UInt8]) { latest = payload }

    /// The latest, if the client has credit for it.
    mutating func takeLatest() -> [UInt8]? {
        guard let latest, spend(latest.count) else { return nil }
        self.latest = nil
        return latest
    }

    /// The next that waits, if the client has credit for it.
    mutating func takeWaiting() -> Waiting? {
        guard let next = waiting.first, credit >= next.payload.count else { return nil }
        credit -= next.payload.count
        return waiting.removeFirst()
    }
}
