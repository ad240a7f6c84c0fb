import LinajeDomain
package import LinajeWire
import NIOCore

/// Ticks the connections of one event loop once a second, so that clients which keep theirs waiting
/// are cut off (`ClientDebt`).
///
/// One timer for the whole loop, none while it has no connections; frames pay nothing for it. Used
/// on the loop only.
package final class SlowClientWatch {
    /// What to do when a client is cut off, besides cutting it off; called on its event loop.
    package typealias OnCut = @Sendable (ClientDebt.Offence, PeerCredentials) -> Void

    private static let period = TimeAmount.seconds(1)
    /// Connections that are looked at, and clients that are cut off, in a row. Between two rows the
    /// loop does what waits: a thousand clients that are cut off in one tick hold nobody else up.
    private static let rowLength = 512
    private static let cutsInRow = 1

    let patience: Duration
    private let onCut: OnCut
    private let eventLoop: any EventLoop
    private var connections: [ObjectIdentifier: ServerChannelHandler] = [:]
    private var isTicking = false
    private var lastTick = NIODeadline.now()

    init(eventLoop: any EventLoop, patience: Duration, onCut: @escaping OnCut) {
        self.eventLoop = eventLoop
        self.patience = patience
        self.onCut = onCut
    }

    func join(_ connection: ServerChannelHandler) {
        connections[ObjectIdentifier(connection)] = connection
        guard !isTicking else { return }
        isTicking = true
        lastTick = .now()
        schedule()
    }

    func leave(_ connection: ServerChannelHandler) {
        connections[ObjectIdentifier(connection)] = nil
    }

    func report(_ offence: ClientDebt.Offence, by peer: PeerCredentials) { onCut(offence, peer) }

    /// The next tick is a period after the last one ended, however late that was: between two ticks
    /// the loop had a second to read and write in. What is counted is from begin to begin.
    private func schedule() {
        eventLoop.assumeIsolated().scheduleTask(in: Self.period) {
            let now = NIODeadline.now()
            let elapsed = UInt32(clamping: (now - self.lastTick).nanoseconds / 1_000_000)
            self.lastTick = now
            self.tick(Array(self.connections.values)[...], after: elapsed)
        }
    }

    private func tick(_ connections: ArraySlice<ServerChannelHandler>, after elapsed: UInt32) {
        var rest = connections
        var cuts = 0
        while let connection = rest.first, cuts < Self.cutsInRow,
            connections.count - rest.count < Self.rowLength
        {
            if connection.tick(after: elapsed) { cuts += 1 }
            rest = rest.dropFirst()
        }
        guard rest.isEmpty else {
            // Not `execute`: that comes before the loop looks at its sockets again.
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) {
                self.tick(rest, after: elapsed)
            }
            return
        }
        isTicking = !self.connections.isEmpty
        if isTicking { schedule() }
    }
}

/// The watches of all loops of a group.
struct SlowClientWatches: Sendable {
    private let boxes: [ObjectIdentifier: NIOLoopBoundBox<SlowClientWatch?>]
    private let patience: Duration
    private let onCut: SlowClientWatch.OnCut

    init(
        _ group: any EventLoopGroup, patience: Duration, onCut: @escaping SlowClientWatch.OnCut
    ) {
        self.patience = patience
        self.onCut = onCut
        boxes = Dictionary(
            uniqueKeysWithValues: group.makeIterator().map {
                (ObjectIdentifier($0), NIOLoopBoundBox.makeEmptyBox(eventLoop: $0))
            })
    }

    /// The watch of the loop that the caller is on.
    subscript(_ eventLoop: any EventLoop) -> SlowClientWatch {
        let box = boxes[ObjectIdentifier(eventLoop)]
        if let watch = box?.value { return watch }
        let watch = SlowClientWatch(eventLoop: eventLoop, patience: patience, onCut: onCut)
        box?.value = watch
        return watch
    }
}
