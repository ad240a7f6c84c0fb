/// Received bytes that count against a credit: not used yet, and used but not given back yet.
struct ReceiveCharge {
    var held = 0
    private var released = 0

    init(held: Int = 0) { self.held = held }

    /// Bytes have been used.
    mutating func use(_ bytes: Int) {
        held -= bytes
        released += bytes
    }

    /// Bytes to grant now. Grants are bundled, but everything comes back once nothing is held.
    mutating func grant(above threshold: Int) -> Int? {
        guard released > 0, released >= threshold || held == 0 else { return nil }
        defer { released = 0 }
        return released
    }
}
