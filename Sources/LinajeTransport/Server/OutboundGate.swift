import Synchronization

/// Whether a client reads too slowly for what it is sent: answers wait in memory, so nothing more is
/// made for it. Set on the connection's event loop, seen from any thread.
final class OutboundGate: Sendable {
    private let closed = Atomic<Bool>(false)

    var isClosed: Bool {
        get { closed.load(ordering: .relaxed) }
        set { closed.store(newValue, ordering: .relaxed) }
    }
}
