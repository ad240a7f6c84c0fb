package import LinajeDomain

/// What a client owes its connection, and for how long: a hello, the rest of a frame that it has
/// begun, the reading of what it was sent (PROTOCOL.md, "Slow clients").
///
/// It is asked about once a second and told how long the last second was, at most two: a daemon that
/// was stopped for a minute blames nobody for its own absence. A client that owes nothing may be
/// silent for ever.
package struct ClientDebt: Sendable {
    /// Why a client is cut off.
    package enum Offence: Sendable, Hashable {
        /// It has not said hello.
        case noHello
        /// It has begun a frame and does not go on.
        case slowFrame
        /// It does not read what it was sent.
        case unread
    }

    /// What is seen of a connection at a tick. The counters only grow.
    package struct Observation: Sendable {
        package var hasGreeted: Bool
        /// Bytes received in all, and whole frames among them.
        package var received: UInt64
        package var frames: UInt64
        /// A part of a frame is there, and the rest would be read if it came.
        package var isMidFrame: Bool
        /// What was sent in all, as the kernel counts it at least.
        package var sent: UInt64
        /// What of it the client has not read yet, as the kernel counts it.
        package var unread: UInt64

        package init(
            hasGreeted: Bool, received: UInt64, frames: UInt64, isMidFrame: Bool, sent: UInt64,
            unread: UInt64
        ) {
            self.hasGreeted = hasGreeted
            self.received = received
            self.frames = frames
            self.isMidFrame = isMidFrame
            self.sent = sent
            self.unread = unread
        }
    }

    /// Bytes of a frame that must come within the patience.
    private static let honestBytes = UInt64(Limits.slowClientBytes)
    private static let allowance = UInt64(Limits.unreadAllowance)

    /// How long something has been owed, in milliseconds; `nil`: nothing is.
    private typealias Owed = UInt32?

    private let patience: UInt32
    private var hello: Owed = nil
    private var frame: Owed = nil
    private var reading: Owed = nil
    private var frames: UInt64 = 0
    /// Bytes received when the current patience with a frame began.
    private var receivedBefore: UInt64 = 0
    private var sent: UInt64 = 0
    private var unread: UInt64 = 0

    /// - Parameter patience: whole seconds without progress that are borne.
    package init(patience: Duration) {
        self.patience = UInt32(clamping: patience.components.seconds * 1_000)
    }

    /// Whether it was owed something at the last tick, or was sent something since: only then need
    /// somebody find out how much is unread.
    package func mayOweReading(sent: UInt64) -> Bool { unread > 0 || sent != self.sent }

    /// A second has passed. Returns why the client should be cut off, if it should.
    ///
    /// The tick that first sees a debt is up to a second late and begins to count, so a patience of
    /// n seconds is over between n and n + 1 seconds after the debt began.
    ///
    /// - Parameter elapsed: milliseconds since the last tick.
    package mutating func tick(_ now: Observation, after elapsed: UInt32 = 1_000) -> Offence? {
        let elapsed = min(elapsed, Self.longestTick)
        hello = now.hasGreeted ? nil : Self.later(hello, elapsed)
        countFrame(now, elapsed)
        countUnread(now, elapsed)
        if let hello, hello >= Self.helloPatience { return .noHello }
        if let reading, reading >= patience { return .unread }
        if let frame, frame >= patience { return .slowFrame }
        return nil
    }

    private static let longestTick: UInt32 = 2_000
    private static let helloPatience = UInt32(
        clamping: Limits.handshakeTimeout.components.seconds * 1_000)

    private static func later(_ owed: Owed, _ elapsed: UInt32) -> Owed {
        owed.map { $0 + elapsed } ?? 0
    }

    private mutating func countFrame(_ now: Observation, _ elapsed: UInt32) {
        let isHonest = now.received - receivedBefore >= Self.honestBytes
        if !now.isMidFrame || now.frames != frames || isHonest {
            // A frame that is there again or still begins to be owed now.
            frame = now.isMidFrame ? 0 : nil
            receivedBefore = now.received
        } else {
            frame = Self.later(frame, elapsed)
        }
        frames = now.frames
    }

    /// The kernel tells what it holds for the client, not what the client has read: it has read
    /// something if less is held than was held before and came on top. A few small frames are no
    /// debt: a client that reads only when it wants something leaves the credit that came after its
    /// answer, a suspended trainer the last acknowledgements.
    private mutating func countUnread(_ now: Observation, _ elapsed: UInt32) {
        let isRead =
            now.unread <= Self.allowance || now.unread < unread + (now.sent - sent)
        reading = isRead ? nil : Self.later(reading, elapsed)
        unread = now.unread
        sent = now.sent
    }
}

extension LinajeError {
    /// What a client that is cut off is told, if it can be told anything.
    ///
    /// - Parameter patience: how long was waited, except for a hello.
    package init(_ offence: ClientDebt.Offence, patience: Duration) {
        let seconds = patience.components.seconds
        switch offence {
        case .noHello:
            self.init(
                .handshakeTimeout,
                "no complete hello came within \(Limits.handshakeTimeout.components.seconds) "
                    + "seconds; send preface and hello at once")
        case .slowFrame:
            self.init(
                .slowClient,
                "less than \(Limits.slowClientBytes) bytes of a frame came within \(seconds) "
                    + "seconds; connect again and send each frame at once")
        case .unread:
            self.init(
                .slowClient,
                "nothing was read of what the connection was sent within \(seconds) seconds; "
                    + "connect again and read what comes")
        }
    }
}
