import LinajeWire

/// What the client may still be sent on a stream, and what waits for that.
struct OutgoingStream {
    /// Data whose sender waits until it has left.
    struct Waiting {
        /// What has not left yet.
        fileprivate var rest: ArraySlice<UInt8>
        /// Longest frame of it.
        fileprivate let frameBytes: Int
        let sender: CheckedContinuation<Void, any Error>

        /// - Parameter isCut: whether the data may leave in several frames.
        init(_ data: [UInt8], isCut: Bool, _ sender: CheckedContinuation<Void, any Error>) {
            rest = data[...]
            frameBytes = isCut ? OutgoingStream.frameBytes : data.count
            self.sender = sender
        }
    }

    /// Bytes of data a client takes on a new stream without a credit frame (PROTOCOL.md).
    private static let firstCredit = 262_144
    /// Longest frame of data that is cut: fits any client's credit, and with its header fills a
    /// buffer, whose size is a power of two.
    private static let frameBytes = (32 << 10) - FrameHeader.size

    private var credit = firstCredit
    private(set) var waiting: [Waiting] = []
    /// Whether a part of the first that waits has left.
    private(set) var isMidway = false
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

    /// The next frame of what waits, if the client has credit for it, and the sender whose last one
    /// it is.
    mutating func takeFrame() -> (
        payload: ArraySlice<UInt8>, sender: CheckedContinuation<Void, any Error>?
    )? {
        guard let first = waiting.first else { return nil }
        let payload = first.rest.prefix(first.frameBytes)
        guard credit >= payload.count else { return nil }
        credit -= payload.count
        isMidway = payload.count < first.rest.count
        if isMidway {
            waiting[0].rest = first.rest.dropFirst(payload.count)
            return (payload, nil)
        }
        return (payload, waiting.removeFirst().sender)
    }
}
