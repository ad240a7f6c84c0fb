import LinajeDomain
import LinajeWire
import NIOCore
import SwiftProtobuf

/// Performs what `ServerConnectionStateMachine` decides: bytes to frames, frames to the session,
/// answers to bytes. Lives on one event loop.
///
/// While the client does not read its answers nothing more is read from it, so that a client that
/// never reads costs a bounded amount of memory.
final class ServerChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Makes the session of a new connection.
    typealias MakeSession = (ServerConnection) -> any ServerSession
    /// A place among the connections of a user, given back when it is released; `nil`: none free.
    typealias MakeSeat = (UInt32) -> ConnectionSeats.Seat?

    private let makeSession: MakeSession
    private let makeSeat: MakeSeat
    private var seat: ConnectionSeats.Seat?
    private var session: (any ServerSession)?
    private var machine = ServerConnectionStateMachine()
    private var context: ChannelHandlerContext?
    private var inbound = ByteBuffer()
    private var outbound = ByteBuffer()
    private var prefaceRead = false
    private var reading = false
    private var closing = false
    private var draining = false
    private var handshake: Scheduled<Void>?
    private var outgoing: [UInt32: OutgoingStream] = [:]
    private var incoming: [UInt32: Charge] = [:]
    private var connectionCharge = Charge()

    /// What the client may still be sent on a stream, and what waits for that.
    private struct OutgoingStream {
        var credit = Int(ServerChannelHandler.firstStreamCredit)
        var waiting: [(payload: [UInt8], continuation: CheckedContinuation<Void, any Error>)] = []
        var latest: [UInt8]?
    }

    /// Received bytes: not used yet, and used but not given back yet.
    private struct Charge {
        var held = 0
        var released = 0

        /// Bytes to grant now. Grants are bundled, but everything comes back once nothing is held.
        mutating func grant(above threshold: Int) -> Int? {
            guard released > 0, released >= threshold || held == 0 else { return nil }
            defer { released = 0 }
            return released
        }
    }

    /// Bytes of data a client takes on a new stream without a credit frame (PROTOCOL.md).
    static let firstStreamCredit = 262_144

    init(makeSeat: @escaping MakeSeat, makeSession: @escaping MakeSession) {
        self.makeSeat = makeSeat
        self.makeSession = makeSession
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        do {
            let peer = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { try PeerCredentials(socket: $0) }
            guard let peer else {
                context.close(promise: nil)
                return
            }
            guard let seat = makeSeat(peer.uid) else {
                closeConnection(
                    LinajeError(
                        .tooManyConnections,
                        "the daemon or user \(peer.uid) has too many connections; close some"))
                return
            }
            self.seat = seat
            session = makeSession(
                ServerConnection(handler: self, eventLoop: context.eventLoop, peer: peer))
            handshake = context.eventLoop.assumeIsolated().scheduleTask(
                in: TimeAmount(Limits.handshakeTimeout)
            ) {
                self.closeConnection(
                    LinajeError(.handshakeTimeout, "no complete hello came within 10 seconds"))
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { shutDown() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !closing else { return }
        reading = true
        var bytes = unwrapInboundIn(data)
        if inbound.readableBytes == 0 {
            inbound = bytes
        } else {
            inbound.writeBuffer(&bytes)
        }
        do throws(LinajeError) {
            try readFrames()
        } catch {
            closeConnection(error)
        }
        // What has been read goes, or a client whose writes never end with a frame would make the
        // buffer grow for ever.
        if inbound.readableBytes == 0 { inbound = ByteBuffer() } else { inbound.discardReadBytes() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        reading = false
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let writable = context.channel.isWritable
        context.channel.setOption(.autoRead, value: writable).whenFailure { _ in }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

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
        while !closing, inbound.readableBytes >= FrameHeader.size {
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
            if hasData { incoming[stream] = Charge() }
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
        case .refuse(let stream, let error):
            write(Frame(.error, stream: stream, payload: Self.encode(Linaje_V1_Failure(error))))
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
            handshake?.cancel()
            write(Frame(.hello, payload: Self.encode(answer)))
            let raise = Limits.connectionCredit - Limits.firstConnectionCredit
            machine.grantConnection(raise)
            writeCredit(raise, stream: 0)
        } catch let error as LinajeError {
            throw error
        } catch {
            throw LinajeError(.internalError, "the hello could not be answered")
        }
    }

    // MARK: Writing

    func respond(stream: UInt32, opcode: UInt16, payload: [UInt8], end: Bool) {
        guard outgoing[stream] != nil else { return }
        guard payload.count <= Limits.frameBytes else {
            fail(
                stream: stream,
                LinajeError(
                    .limitExceeded,
                    "answer of \(payload.count) bytes does not fit into a frame of "
                        + "\(Limits.frameBytes); ask for less, page by page"))
            return
        }
        write(
            Frame(
                .response, stream: stream, flags: end ? FrameHeader.endFlag : 0, opcode: opcode,
                payload: payload))
        if end { close(stream) }
    }

    func fail(stream: UInt32, _ error: LinajeError) {
        guard outgoing[stream] != nil else { return }
        write(Frame(.error, stream: stream, payload: Self.encode(Linaje_V1_Failure(error))))
        close(stream)
    }

    func end(stream: UInt32) {
        guard let state = outgoing[stream] else { return }
        // An acknowledgement that waits for credit is dropped with the stream by design of
        // `sendLatest`, but the last one must arrive: it is sent past the client's credit.
        if let latest = state.latest { write(Frame(.data, stream: stream, payload: latest)) }
        write(Frame(.end, stream: stream))
        close(stream)
    }

    func send(
        _ payload: [UInt8], stream: UInt32, _ continuation: CheckedContinuation<Void, any Error>
    ) {
        guard var state = outgoing[stream] else {
            continuation.resume(throwing: Self.streamIsOver)
            return
        }
        if state.waiting.isEmpty, state.credit >= payload.count {
            state.credit -= payload.count
            outgoing[stream] = state
            write(Frame(.data, stream: stream, payload: payload))
            continuation.resume()
        } else {
            state.waiting.append((payload, continuation))
            outgoing[stream] = state
        }
    }

    func sendLatest(_ payload: [UInt8], stream: UInt32) {
        guard let credit = outgoing[stream]?.credit else { return }
        if credit >= payload.count {
            outgoing[stream]?.credit -= payload.count
            write(Frame(.data, stream: stream, payload: payload))
        } else {
            outgoing[stream]?.latest = payload
        }
    }

    func release(_ bytes: Int, stream: UInt32) {
        // The bytes of a stream that is over came back when it was closed.
        guard incoming[stream] != nil else { return }
        connectionUsed(bytes)
        incoming[stream]?.held -= bytes
        incoming[stream]?.released += bytes
        if let grant = incoming[stream]?.grant(above: Limits.streamCredit / 4),
            machine.grant(grant, stream: stream)
        {
            writeCredit(grant, stream: stream)
        }
    }

    /// A request waits no longer: its bytes have been used.
    func requestUsed(_ bytes: Int) { connectionUsed(bytes) }

    func drain(reason: String) {
        guard !closing else { return }
        machine.drain()
        var message = Linaje_V1_GoAway()
        message.lastStream = machine.highestStream
        message.reason = reason
        write(Frame(.goaway, payload: Self.encode(message)))
        if machine.openStreams == 0 { closeAfterFlush() }
        draining = true
    }

    func closeConnection(_ error: LinajeError) {
        guard !closing else { return }
        write(Frame(.error, payload: Self.encode(Linaje_V1_Failure(error))))
        closeAfterFlush()
    }

    func closeNow() { context?.close(promise: nil) }

    private func close(_ stream: UInt32) {
        machine.close(stream)
        if let state = outgoing.removeValue(forKey: stream) {
            for waiting in state.waiting {
                waiting.continuation.resume(throwing: Self.streamIsOver)
            }
        }
        // What was received and not used is dropped with the stream.
        if let charge = incoming.removeValue(forKey: stream) { connectionUsed(charge.held) }
        if draining, machine.openStreams == 0 { closeAfterFlush() }
    }

    private func connectionUsed(_ bytes: Int) {
        connectionCharge.held -= bytes
        connectionCharge.released += bytes
        if let grant = connectionCharge.grant(above: Limits.connectionCredit / 4) {
            machine.grantConnection(grant)
            writeCredit(grant, stream: 0)
        }
    }

    private func credited(_ stream: UInt32, _ bytes: Int) {
        guard var state = outgoing[stream] else { return }
        let (sum, overflow) = state.credit.addingReportingOverflow(bytes)
        state.credit = overflow ? Int.max : sum
        if let latest = state.latest, state.credit >= latest.count {
            state.latest = nil
            state.credit -= latest.count
            write(Frame(.data, stream: stream, payload: latest))
        }
        var sent = 0
        for waiting in state.waiting {
            guard state.credit >= waiting.payload.count else { break }
            state.credit -= waiting.payload.count
            write(Frame(.data, stream: stream, payload: waiting.payload))
            waiting.continuation.resume()
            sent += 1
        }
        state.waiting.removeFirst(sent)
        outgoing[stream] = state
    }

    private func writeCredit(_ bytes: Int, stream: UInt32) {
        var message = Linaje_V1_Credit()
        message.bytes = UInt32(clamping: bytes)
        write(Frame(.credit, stream: stream, payload: Self.encode(message)))
    }

    private func write(_ frame: Frame) {
        guard !closing else { return }
        outbound.writeInteger(UInt32(frame.header.length))
        outbound.writeInteger(frame.header.stream)
        outbound.writeInteger(frame.header.type.rawValue)
        outbound.writeInteger(frame.header.flags)
        outbound.writeInteger(frame.header.opcode)
        outbound.writeBytes(frame.payload)
        if !reading { flush() }
    }

    private func flush() {
        guard outbound.readableBytes > 0, let context else { return }
        let bytes = outbound
        outbound = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func closeAfterFlush() {
        flush()
        closing = true
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    private func shutDown() {
        closing = true
        handshake?.cancel()
        for state in outgoing.values {
            for waiting in state.waiting {
                waiting.continuation.resume(throwing: Self.streamIsOver)
            }
        }
        outgoing = [:]
        incoming = [:]
        session?.closed()
        session = nil
        seat = nil
        context = nil
    }

    /// Messages of this protocol have no required fields, so encoding them does not fail.
    private static func encode(_ message: some Message) -> [UInt8] {
        (try? message.serializedBytes()) ?? []
    }

    private static let streamIsOver = LinajeError(.cancelled, "the stream is over")
}
