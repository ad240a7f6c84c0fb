import NIOCore

/// How fast a request must come, and an answer be taken: so slow that every client that works does it,
/// so fast that none can hold connections and memory for long.
struct ScoringPace: Sendable {
    /// What a transfer of any size may take.
    var slack = Duration.seconds(30)
    /// Bytes that move in a second beyond it.
    var bytesPerSecond = 64 << 10

    /// How long a transfer may last of which so many bytes have moved.
    func time(for bytes: Int) -> Duration { slack + .seconds(bytes / max(1, bytesPerSecond)) }
}

/// Watches the transfers of one connection, one at a time, on its event loop.
final class PaceWatch {
    private let pace: ScoringPace
    private var start: ContinuousClock.Instant?
    private var bytes = 0
    private var timer: Scheduled<Void>?

    init(_ pace: ScoringPace) { self.pace = pace }

    /// Whether a transfer is watched.
    var isOn: Bool { start != nil }

    /// A transfer begins.
    ///
    /// - Parameter expired: Runs once if it becomes too slow; it is watched no longer then.
    func begin(on loop: any EventLoop, expired: @escaping () -> Void) {
        end()
        start = .now
        schedule(loop, expired)
    }

    /// Bytes of it have moved.
    func moved(_ count: Int) { bytes += count }

    /// It is over.
    func end() {
        timer?.cancel()
        timer = nil
        start = nil
        bytes = 0
    }

    private func schedule(_ loop: any EventLoop, _ expired: @escaping () -> Void) {
        guard let start else { return }
        let left = start + pace.time(for: bytes) - .now
        guard left > .zero else {
            end()
            return expired()
        }
        timer = loop.assumeIsolated().scheduleTask(in: TimeAmount(left)) {
            self.schedule(loop, expired)
        }
    }
}

/// Says that bytes have come, before they are a request.
final class FirstBytesHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The event.
    struct BytesCame: Sendable {}

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireUserInboundEventTriggered(BytesCame())
        context.fireChannelRead(data)
    }
}
