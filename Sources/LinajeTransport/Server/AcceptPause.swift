import Glibc
import LinajeDomain
package import NIOCore

/// Stops accepting while the process is short of descriptors; who waits stays in the socket's
/// queue. Some are kept for the daemon's own files: a database that cannot be opened would fail
/// those who are inside already. Out of descriptors nevertheless, it pauses, since trying again at
/// once would burn a processor and help nobody.
package final class AcceptPause: ChannelInboundHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel

    private static let pause = TimeAmount.milliseconds(200)

    /// Connections that leave enough descriptors for the rest of the process.
    private let most: Int
    private var open = 0
    private let whenListening: () -> Void

    /// - Parameter whenListening: called once the socket listens, before anybody is accepted.
    package init(whenListening: @escaping () -> Void = {}) {
        self.whenListening = whenListening
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0
        let descriptors = isKnown ? Int(clamping: limit.rlim_cur) : Int.max
        most = max(1, descriptors - min(Limits.ownDescriptors, descriptors / 2))
    }

    package func channelActive(context: ChannelHandlerContext) {
        whenListening()
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let child = unwrapInboundIn(data)
        let server = context.channel
        open += 1
        if open >= most { setAccepting(false, on: server) }
        child.closeFuture.hop(to: context.eventLoop).assumeIsolated().whenComplete { _ in
            self.open -= 1
            if self.open == self.most - 1 { self.setAccepting(true, on: server) }
        }
        context.fireChannelRead(data)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let channel = context.channel
        setAccepting(false, on: channel)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            if self.open < self.most { self.setAccepting(true, on: channel) }
        }
    }

    private func setAccepting(_ isAccepting: Bool, on channel: any Channel) {
        channel.setOption(.autoRead, value: isAccepting).whenFailure { _ in }
    }
}
