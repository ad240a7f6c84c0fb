import LinajeDomain
import LinajeWire
import NIOCore
import SwiftProtobuf

extension ServerChannelHandler {
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
        _ payload: [UInt8], isCut: Bool, stream: UInt32,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        guard outgoing[stream] != nil else {
            continuation.resume(throwing: Self.streamIsOver)
            return
        }
        outgoing[stream]?.wait(.init(payload, isCut: isCut, continuation))
        sendWhatWaits(stream)
    }

    func sendLatest(_ payload: [UInt8], stream: UInt32) {
        if !gate.isClosed, outgoing[stream]?.spend(payload.count) == true {
            write(Frame(.data, stream: stream, payload: payload))
        } else {
            outgoing[stream]?.keepLatest(payload)
        }
    }

    /// Resumes once the client has read enough of what it was sent, or is gone.
    func waitForRoom(_ continuation: CheckedContinuation<Bool, Never>) {
        if gate.isClosed, context != nil {
            waitingForRoom.append(continuation)
        } else {
            continuation.resume(returning: context != nil)
        }
    }

    func release(_ bytes: Int, stream: UInt32) {
        // The bytes of a stream that is over came back when it was closed.
        guard incoming[stream] != nil else { return }
        connectionUsed(bytes)
        incoming[stream]?.use(bytes)
        if let grant = incoming[stream]?.grant(above: Limits.streamCredit / 4),
            machine.grant(grant, stream: stream)
        {
            writeCredit(grant, stream: stream)
        }
    }

    /// A request waits no longer: its bytes have been used.
    func requestUsed(_ bytes: Int) { connectionUsed(bytes) }

    /// Asks the client to leave. One that has not said hello yet would not understand: it is told
    /// with its greeting, or leaves without it when it keeps the daemon waiting.
    func drain(reason: String) {
        guard !closing, !draining else { return }
        guard hasGreeted else {
            guard drainReason == nil, let context else { return }
            drainReason = reason
            context.eventLoop.assumeIsolated().scheduleTask(in: Self.lastHello) {
                guard !self.hasGreeted else { return }
                self.closeConnection(
                    LinajeError(.handshakeTimeout, "no complete hello came in time; connect again"))
            }
            return
        }
        machine.drain()
        var message = Linaje_V1_GoAway()
        message.lastStream = machine.highestStream
        message.reason = reason
        write(Frame(.goaway, payload: Self.encode(message)))
        draining = true
        session?.draining()
        if machine.openStreams == 0 { closeAfterFlush() }
    }

    /// How long a daemon that shuts down waits for the hello of a client that has just connected.
    private static var lastHello: TimeAmount { .seconds(1) }

    func closeConnection(_ error: LinajeError) {
        guard !closing else { return }
        metrics.ended(by: error.code, wasGreeted: hasGreeted)
        write(Frame(.error, payload: Self.encode(Linaje_V1_Failure(error))))
        closeAfterFlush()
    }

    func closeNow() { context?.close(promise: nil) }

    private func close(_ stream: UInt32) {
        machine.close(stream)
        if let state = outgoing.removeValue(forKey: stream) {
            for waiting in state.waiting {
                waiting.sender.resume(throwing: Self.streamIsOver)
            }
        }
        // What was received and not used is dropped with the stream.
        if let charge = incoming.removeValue(forKey: stream) { connectionUsed(charge.held) }
        if draining, machine.openStreams == 0 { closeAfterFlush() }
    }

    func connectionUsed(_ bytes: Int) {
        connectionCharge.use(bytes)
        if let grant = connectionCharge.grant(above: Limits.connectionCredit / 4) {
            machine.grantConnection(grant)
            writeCredit(grant, stream: 0)
        }
    }

    func credited(_ stream: UInt32, _ bytes: Int) {
        outgoing[stream]?.grant(bytes)
        sendWhatWaits(stream)
    }

    /// The client has read: goes on with what has waited for that.
    func sendWhatWaits() {
        for stream in outgoing.keys { sendWhatWaits(stream) }
        guard !gate.isClosed, !waitingForRoom.isEmpty else { return }
        let waiting = waitingForRoom
        waitingForRoom = []
        for continuation in waiting { continuation.resume(returning: true) }
    }

    /// Each piece is taken off before it is written: writing may close the gate, open it again, or
    /// end the connection, and comes back to here when it does.
    ///
    /// Data of which a part has left leaves whole: a client that does not read would else make the
    /// daemon hold it twice, in the call and in the part.
    private func sendWhatWaits(_ stream: UInt32) {
        if !gate.isClosed, let latest = outgoing[stream]?.takeLatest() {
            write(Frame(.data, stream: stream, payload: latest))
        }
        while let state = outgoing[stream], state.isMidway || !gate.isClosed,
            let (payload, sender) = outgoing[stream]?.takeFrame()
        {
            write(FrameHeader(length: payload.count, stream: stream, type: .data), payload)
            sender?.resume()
        }
    }

    /// The connection is gone: nobody waits for it any more.
    func abandonWriting() {
        for state in outgoing.values {
            for waiting in state.waiting {
                waiting.sender.resume(throwing: Self.streamIsOver)
            }
        }
        outgoing = [:]
        for continuation in waitingForRoom { continuation.resume(returning: false) }
        waitingForRoom = []
    }

    func writeCredit(_ bytes: Int, stream: UInt32) {
        var message = Linaje_V1_Credit()
        message.bytes = UInt32(clamping: bytes)
        write(Frame(.credit, stream: stream, payload: Self.encode(message)))
    }

    func write(_ frame: Frame) { write(frame.header, frame.payload[...]) }

    private func write(_ header: FrameHeader, _ payload: ArraySlice<UInt8>) {
        guard !closing else { return }
        outbound.reserveCapacity(minimumWritableBytes: FrameHeader.size + payload.count)
        outbound.writeInteger(UInt32(header.length))
        outbound.writeInteger(header.stream)
        outbound.writeInteger(header.type.rawValue)
        outbound.writeInteger(header.flags)
        outbound.writeInteger(header.opcode)
        outbound.writeBytes(payload)
        framesToSend += 1
        if !reading || outbound.readableBytes >= Limits.unreadBytes / 2 { flush() }
    }

    func flush() {
        guard outbound.readableBytes > 0, let context else { return }
        let bytes = outbound
        outbound = ByteBuffer()
        sent.add(bytes.readableBytes)
        metrics.sent(frames: framesToSend, bytes: bytes.readableBytes)
        framesToSend = 0
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

    /// Messages of this protocol have no required fields, so encoding them does not fail.
    static func encode(_ message: some Message) -> [UInt8] {
        (try? message.serializedBytes()) ?? []
    }

    private static let streamIsOver = LinajeError(.cancelled, "the stream is over")
}
