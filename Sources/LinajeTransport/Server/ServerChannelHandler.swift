import Glibc
import LinajeDomain
import LinajeHost
import LinajeWire
import NIOCore
import SwiftProtobuf

/// Performs what `ServerConnectionStateMachine` decides: bytes to frames, frames to the session,
/// answers to bytes. Lives on one event loop.
///
/// **Memory.** While the client does not read its answers nothing more is read from it, no call
/// begins and no stream sends. What a connection can make the daemon hold is therefore bounded:
///
/// - received: `Limits.connectionCredit` in requests and data that wait for their use, among them
///   the one frame that is not complete, and two reads of `Limits.readBytes`;
/// - to be sent: `Limits.unreadBytes`, the one answer of at most `Limits.frameBytes` that went past
///   it, and for each of `Limits.concurrentStreams` the data of one `send`.
///
/// A client that only asks and never reads costs some 200 KiB, an idle one holds no buffer at all.
/// Whoever keeps its connection waiting is cut off (`ClientDebt`).
final class ServerChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Makes the session of a new connection.
    typealias MakeSession = (ServerConnection) -> any ServerSession
    /// A place among the connections of a user, given back when it is released; `nil`: none free.
    typealias MakeSeat = (UInt32) -> ConnectionSeats.Seat?

    private let makeSession: MakeSession
    private let makeSeat: MakeSeat
    private let connections: OpenConnections
    private let watch: SlowClientWatch
    let metrics: ConnectionMetrics
    private var seat: ConnectionSeats.Seat?
    private var peer: PeerCredentials?
    private var prefaceRead = false
    private var inbound = ByteBuffer()
    private var debt: ClientDebt
    /// Bytes and whole frames that have come, for `debt`.
    private var received: UInt64 = 0
    private var frames: UInt64 = 0

    // What writing uses, too (ServerChannelHandler+Writing.swift).
    let gate = OutboundGate()
    var session: (any ServerSession)?
    var hasGreeted = false
    var machine = ServerConnectionStateMachine()
    var context: ChannelHandlerContext?
    var outbound = ByteBuffer()
    var reading = false
    var closing = false
    var draining = false
    /// Why the client must leave, once it has been greeted.
    var drainReason: String?
    var outgoing: [UInt32: OutgoingStream] = [:]
    var incoming: [UInt32: ReceiveCharge] = [:]
    var connectionCharge = ReceiveCharge()
    /// Calls that wait until the client has read enough of what it was sent.
    var waitingForRoom: [CheckedContinuation<Bool, Never>] = []
    var sent = SentCount()
    /// Frames in `outbound`.
    var framesToSend = 0

    init(
        connections: OpenConnections, watch: SlowClientWatch, metrics: ConnectionMetrics,
        makeSeat: @escaping MakeSeat, makeSession: @escaping MakeSession
    ) {
        self.connections = connections
        self.watch = watch
        self.metrics = metrics
        self.makeSeat = makeSeat
        self.makeSession = makeSession
        debt = ClientDebt(patience: watch.patience)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        watch.join(self)
        metrics.opened()
        do {
            let peer = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { try PeerCredentials(socket: $0) }
            guard let peer else {
                refuseUnknown(context)
                return
            }
            self.peer = peer
            guard let seat = makeSeat(peer.uid) else {
                closeConnection(
                    LinajeError(
                        .tooManyConnections,
                        "the daemon or user \(peer.uid) has too many connections; close some"))
                return
            }
            self.seat = seat
            let connection = ServerConnection(
                handler: self, gate: gate, others: connections, eventLoop: context.eventLoop,
                peer: peer)
            guard connections.join(connection, ObjectIdentifier(self)) else {
                context.close(promise: nil)
                return
            }
            session = makeSession(connection)
        } catch {
            refuseUnknown(context)
        }
    }

    /// Closes a connection of which the kernel does not say whose it is.
    private func refuseUnknown(_ context: ChannelHandlerContext) {
        metrics.ended(by: .permissionDenied, wasGreeted: false)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        metrics.closed()
        shutDown()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !closing else { return }
        var bytes = unwrapInboundIn(data)
        received &+= UInt64(bytes.readableBytes)
        metrics.received(bytes: bytes.readableBytes)
        if inbound.readableBytes == 0 {
            inbound = bytes
        } else {
            inbound.writeBuffer(&bytes)
        }
        takeFrames()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        reading = false
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let writable = context.channel.isWritable
        gate.isClosed = !writable
        context.channel.setOption(.autoRead, value: writable).whenFailure { _ in }
        if writable {
            sendWhatWaits()
            // What had been read when the gate closed. Inside a read its own loop goes on with it.
            if !reading, !closing, inbound.readableBytes > 0 {
                takeFrames()
                channelReadComplete(context: context)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Slow clients

    /// About a second has passed since the last time. Says whether the client was cut off.
    func tick(after elapsed: UInt32) -> Bool {
        guard let context, let peer else { return false }
        let unread = debt.mayOweReading(sent: sent.total) ? unreadBytes(context) : 0
        let offence = debt.tick(
            ClientDebt.Observation(
                hasGreeted: hasGreeted, received: received, frames: frames,
                isMidFrame: inbound.readableBytes > 0 && !gate.isClosed && !closing,
                sent: sent.total, unread: unread), after: elapsed)
        guard let offence else { return false }
        watch.report(offence, by: peer)
        // The error is of use only if it leaves at once: nobody waits for an offender.
        if offence == .unread {
            metrics.ended(by: .slowClient, wasGreeted: true)
        } else {
            closeConnection(LinajeError(offence, patience: watch.patience))
        }
        closeNow()
        return true
    }

    /// Bytes that were sent and that the client has not read: those that wait here, and those that
    /// the kernel holds for it, with what it adds for each piece.
    private func unreadBytes(_ context: ChannelHandlerContext) -> UInt64 {
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if waiting == 0 { sent.countPieces() }
        let held = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { socket -> CInt in
            var bytes: CInt = 0
            return ioctl(socket, UInt(TIOCOUTQ), &bytes) == 0 ? bytes : 0
        }
        return UInt64(waiting) + UInt64(max(0, held ?? 0))
    }

    private func shutDown() {
        closing = true
        watch.leave(self)
        abandonWriting()
        incoming = [:]
        session?.closed()
        session = nil
        connections.leave(ObjectIdentifier(self))
        seat = nil
        context = nil
    }

    /// The process at the other end.
    func peerProcess() -> ProcessDescriptor? {
        let process = try? context?.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { ProcessDescriptor(peerOf: $0) }
        return process ?? nil
    }

    // MARK: Reading

    /// Takes the frames that are there; answers are bundled until the read is complete.
    private func takeFrames() {
        reading = true
        let framesBefore = frames
        do throws(LinajeError) {
            try readFrames()
        } catch {
            closeConnection(error)
        }
        metrics.received(frames: Int(frames &- framesBefore))
        // What has been read goes, or a client whose writes never end with a frame would make the
        // buffer grow for ever.
        if inbound.readableBytes == 0 { inbound = ByteBuffer() } else { inbound.discardReadBytes() }
    }

    private func readFrames() throws(LinajeError) {
        if !prefaceRead {
            let expected = FrameHeader.preface
            let seen = inbound.readableBytesView.prefix(expected.count)
            guard expected.starts(with: seen) else {
                if seen.count == expected.count, seen.starts(with: expected.dropLast()) {
                    throw LinajeError(
                        .versionUnsupported,
                        "protocol version \(seen.last ?? 0) is not spoken here; 1 is")
                }
                throw LinajeError(.badPreface, "the first 8 bytes are not Linaje's preface")
            }
            guard seen.count == expected.count else { return }
            inbound.moveReaderIndex(forwardBy: expected.count)
            prefaceRead = true
        }
        while !closing, !gate.isClosed, inbound.readableBytes >= FrameHeader.size {
            let parsed = inbound.withUnsafeReadableBytes {
                bytes -> Result<FrameHeader, LinajeError> in
                Result { () throws(LinajeError) in
                    try FrameHeader(
                        parsing: UnsafeRawBufferPointer(rebasing: bytes[..<FrameHeader.size]))
                }
            }
            let header = try parsed.get()
            try machine.admit(header)
            guard inbound.readableBytes >= FrameHeader.size + header.length else { return }
            inbound.moveReaderIndex(forwardBy: FrameHeader.size)
            frames &+= 1
            let payload = inbound.readBytes(length: header.length) ?? []
            try perform(try machine.receive(header, payload: payload))
        }
    }

    private func perform(
        _ action: ServerConnectionStateMachine.Action
    ) throws(LinajeError) {
        switch action {
        case .greet(let hello): try greet(hello.bytes)
        case .open(let stream, let opcode, let payload, let hasData):
            connectionCharge.held += payload.count
            outgoing[stream] = OutgoingStream()
            if hasData { incoming[stream] = ReceiveCharge() }
            session?.open(stream: stream, opcode: opcode, payload: payload, hasData: hasData)
        case .data(let stream, let payload):
            connectionCharge.held += payload.count
            incoming[stream]?.held += payload.count
            session?.data(stream: stream, payload: payload)
        case .finished(let stream): session?.finished(stream: stream)
        case .cancelled(let stream):
            session?.cancelled(stream: stream)
            fail(stream: stream, LinajeError(.cancelled, "the client cancelled the call"))
        case .credit(let stream, let bytes): credited(stream, bytes)
        case .pong(let payload): write(Frame(.pong, payload: payload))
        case .refuse(let stream, let error, let bytes):
            write(Frame(.error, stream: stream, payload: Self.encode(Linaje_V1_Failure(error))))
            connectionCharge.held += bytes
            connectionUsed(bytes)
        case .drop(let bytes):
            connectionCharge.held += bytes
            connectionUsed(bytes)
        case .ignore: break
        }
    }

    private func greet(_ bytes: [UInt8]) throws(LinajeError) {
        guard let session else { return }
        do {
            guard let hello = try? Linaje_V1_ClientHello(payload: bytes) else {
                // Not `badMessage`: that is about one stream, this ends the connection.
                throw LinajeError(.badFrame, "the hello is no ClientHello; fix the client")
            }
            let answer = try session.greet(hello)
            hasGreeted = true
            metrics.greeted()
            write(Frame(.hello, payload: Self.encode(answer)))
            let raise = Limits.connectionCredit - Limits.firstConnectionCredit
            machine.grantConnection(raise)
            writeCredit(raise, stream: 0)
            if let drainReason { drain(reason: drainReason) }
        } catch let error as LinajeError {
            throw error
        } catch {
            throw LinajeError(.internalError, "the hello could not be answered")
        }
    }
}
