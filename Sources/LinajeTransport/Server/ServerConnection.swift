package import LinajeDomain
package import LinajeHost
package import NIOCore

/// A connection as its session uses it: from any thread, in order.
///
/// Frames that one thread sends leave in the order it sent them.
package struct ServerConnection: Sendable {
    private let handler: NIOLoopBound<ServerChannelHandler>
    private let gate: OutboundGate
    private let others: OpenConnections
    package let eventLoop: any EventLoop
    /// Who is at the other end.
    package let peer: PeerCredentials

    init(
        handler: ServerChannelHandler, gate: OutboundGate, others: OpenConnections,
        eventLoop: any EventLoop, peer: PeerCredentials
    ) {
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        self.gate = gate
        self.others = others
        self.eventLoop = eventLoop
        self.peer = peer
    }

    /// Runs work of the session in a task. The listener's end waits for it, also when the connection
    /// is gone.
    package func perform(_ work: @Sendable @escaping () async -> Void) { others.run(work) }

    /// The process at the other end, asked of the socket only now: most connections never own
    /// anything, and each descriptor counts. `nil` when the kernel does not hand it out or the
    /// connection is gone.
    package func peerProcess() async -> ProcessDescriptor? {
        let handler = handler
        return try? await eventLoop.submit { handler.value.peerProcess() }.get()
    }

    /// Sends a response; with `end` the stream is over.
    package func respond(stream: UInt32, opcode: UInt16, payload: [UInt8], end: Bool) {
        onLoop { $0.respond(stream: stream, opcode: opcode, payload: payload, end: end) }
    }

    /// Ends a stream with an error. Nothing happens if it is over already.
    package func fail(stream: UInt32, _ error: LinajeError) {
        onLoop { $0.fail(stream: stream, error) }
    }

    /// Ends a stream that has been answered.
    package func end(stream: UInt32) {
        onLoop { $0.end(stream: stream) }
    }

    /// Sends data in one frame as soon as the client has credit for it.
    ///
    /// - Throws: `cancelled` when the stream is over: the client left or cancelled.
    package func send(_ payload: [UInt8], stream: UInt32) async throws {
        try await send(payload, isCut: false, stream: stream)
    }

    /// Sends the next bytes of a stream of bytes, in as many frames as they need.
    ///
    /// - Throws: `cancelled` when the stream is over: the client left or cancelled.
    package func sendBytes(_ bytes: [UInt8], stream: UInt32) async throws {
        try await send(bytes, isCut: true, stream: stream)
    }

    private func send(_ payload: [UInt8], isCut: Bool, stream: UInt32) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            onLoop { $0.send(payload, isCut: isCut, stream: stream, continuation) }
        }
    }

    /// Sends data that makes earlier unsent data of this kind on the stream needless: while the
    /// client has no credit only the latest is kept. For acknowledgements.
    package func sendLatest(_ payload: [UInt8], stream: UInt32) {
        onLoop { $0.sendLatest(payload, stream: stream) }
    }

    /// `sendLatest` and `release` in one step, for a hot path.
    package func acknowledge(_ payload: [UInt8], releasing bytes: Int, stream: UInt32) {
        onLoop {
            $0.sendLatest(payload, stream: stream)
            $0.release(bytes, stream: stream)
        }
    }

    /// Returns once the client has read enough of what it was sent; false when it is gone. Asked
    /// before a call begins, so that the answers of a client that never reads do not pile up.
    package func room() async -> Bool {
        guard gate.isClosed else { return true }
        return await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            onLoop { $0.waitForRoom(continuation) }
        }
    }

    /// Gives the credit of received bytes back: they have been used.
    package func release(_ bytes: Int, stream: UInt32) {
        onLoop { $0.release(bytes, stream: stream) }
    }

    /// Gives the credit of a request back: the call has begun, or never will.
    package func releaseRequest(_ bytes: Int) {
        onLoop { $0.requestUsed(bytes) }
    }

    /// Refuses new streams and closes once the open ones are over.
    package func drain(reason: String) {
        onLoop { $0.drain(reason: reason) }
    }

    /// Closes the connection without a word.
    package func close() {
        onLoop { $0.closeNow() }
    }

    private func onLoop(_ body: @Sendable @escaping (ServerChannelHandler) -> Void) {
        if eventLoop.inEventLoop {
            body(handler.value)
        } else {
            eventLoop.execute { body(handler.value) }
        }
    }
}
