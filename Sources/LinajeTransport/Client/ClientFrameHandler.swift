import LinajeDomain
import LinajeWire
import NIOCore

/// Cuts what comes from the socket into frames and hands them to the core. A payload is copied once,
/// out of the read buffer.
final class ClientFrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: ConnectionCore
    private var pending: ByteBuffer?

    init(_ core: ConnectionCore) { self.core = core }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        if var buffer = pending {
            pending = nil
            buffer.writeBuffer(&incoming)
            incoming = buffer
        }
        do {
            while let (header, payload) = try nextFrame(&incoming) {
                try core.receive(header, payload)
            }
        } catch let error as LinajeError {
            core.fail(error)
            return
        } catch {
            core.fail(LinajeError(.unavailable, "the connection to the daemon broke: \(error)"))
            return
        }
        if incoming.readableBytes > 0 {
            incoming.discardReadBytes()
            pending = incoming
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        core.fail(LinajeError(.unavailable, "the daemon closed the connection; try again"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        core.fail(LinajeError(.unavailable, "the connection to the daemon broke: \(error)"))
    }

    private func nextFrame(_ buffer: inout ByteBuffer) throws -> (FrameHeader, [UInt8])? {
        guard buffer.readableBytes >= FrameHeader.size else { return nil }
        let header = try buffer.withUnsafeReadableBytes { bytes in
            try FrameHeader(parsing: UnsafeRawBufferPointer(rebasing: bytes[..<FrameHeader.size]))
        }
        guard buffer.readableBytes >= FrameHeader.size + header.length else {
            buffer.reserveCapacity(minimumWritableBytes: header.length)
            return nil
        }
        buffer.moveReaderIndex(forwardBy: FrameHeader.size)
        guard let payload = buffer.readBytes(length: header.length) else { return nil }
        return (header, payload)
    }
}
