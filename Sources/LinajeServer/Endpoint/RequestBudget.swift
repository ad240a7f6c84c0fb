import LinajeDomain
import NIOCore

/// Lets so many bytes of a connection through and not more, before anything parses them.
final class RequestBudget: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var left = Limits.endpointRequestBytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data).readableBytes
        guard left >= 0 else { return }
        left -= bytes
        guard left >= 0 else {
            let answer = ByteBuffer(
                string: "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                    + "Connection: close\r\nContent-Length: 0\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            context.close(promise: nil)
            return
        }
        context.fireChannelRead(data)
    }
}
