package import LinajeDomain
import SwiftProtobuf

/// The rules of a connection from the client's side, without a socket: frames in, actions out.
///
/// It numbers streams, knows which are open in which direction, and keeps both credits: what the
/// server granted to this side, and what this side granted to the server. Whoever owns the socket
/// performs the actions and decides nothing.
package struct ClientConnectionStateMachine: Sendable {
    /// What to do about a frame.
    package enum Action: Sendable, Hashable {
        /// The server's hello came; requests may be sent from now on.
        case welcome(Linaje_V1_ServerHello)
        /// The answer of a stream; with `isEnd` the stream is over.
        case response(stream: UInt32, payload: [UInt8], isEnd: Bool)
        /// Data of a stream.
        case data(stream: UInt32, payload: [UInt8])
        /// The server has sent all; the stream is over.
        case finished(stream: UInt32)
        /// The stream ended with an error.
        case failed(stream: UInt32, Linaje_V1_Failure)
        /// The connection ended with an error.
        case rejected(Linaje_V1_Failure)
        /// More may be sent: on the stream, or on all of them for 0.
        case credit(stream: UInt32)
        /// Answer a ping with the same payload.
        case answerPing([UInt8])
        /// A ping of this side was answered.
        case pong(UInt64)
        /// The server takes no new streams.
        case goaway(reason: String)
        /// Nothing.
        case ignore
    }

    /// What became of the wish to open a stream.
    package enum Opening: Sendable, Hashable {
        /// Send the request on this stream.
        case opened(UInt32)
        /// Ask again when credit came or a stream ended.
        case wait
        /// The connection takes no streams any more.
        case refused(LinajeError)
    }

    private enum Phase: Sendable {
        case awaitingHello
        case open
        case goingAway(String)
    }

    private struct Stream: Sendable {
        /// Bytes of data this side may send.
        var sendCredit: Int
        /// This side may still send data.
        var maySend: Bool
        /// The answer has come, so data may follow.
        var answered = false
        /// This side no longer wants what comes.
        var isCancelled = false
        /// Bytes of data the server may send ahead of what is used, and what it may send now.
        var window = ClientConnectionStateMachine.receiveWindow
        var receiveCredit = ClientConnectionStateMachine.receiveWindow
        /// Bytes used by the consumer that the server was not told of yet.
        var owed = 0
    }

    /// Bytes of data a server may send on a new stream (PROTOCOL.md, "Flow control").
    package static let receiveWindow = 262_144

    private var phase = Phase.awaitingHello
    private var streams: [UInt32: Stream] = [:]
    /// 64 bits, so that the end of the numbers is a comparison and not an overflow.
    private var nextStream: UInt64 = 1
    private var connectionCredit = 0
    private var concurrentStreams = 0
    /// Bytes of data this side may send on a new stream.
    package private(set) var firstStreamCredit = 0

    package init() {}

    /// Streams that are open.
    package var openStreams: Int { streams.count }

    /// Whether new streams can be opened.
    package var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    // MARK: Frames from the server

    /// Takes a frame in.
    ///
    /// - Throws: an error after which the connection must be closed.
    package mutating func receive(
        _ header: FrameHeader, payload: [UInt8]
    ) throws(LinajeError) -> Action {
        if case .awaitingHello = phase { return try greeting(header, payload) }
        switch header.type {
        case .response: return try response(header, payload)
        case .data: return try data(header, payload)
        case .end: return try end(header)
        case .error: return try failure(header, payload)
        case .credit: return try credit(header, payload)
        case .ping:
            try requireConnection(header)
            return .answerPing(payload)
        case .pong:
            try requireConnection(header)
            let ping = try decode(Linaje_V1_Ping.self, payload, header)
            return .pong(ping.number)
        case .goaway:
            try requireConnection(header)
            let message = try decode(Linaje_V1_GoAway.self, payload, header)
            phase = .goingAway(message.reason)
            return .goaway(reason: message.reason)
        case .hello, .request, .cancel:
            throw LinajeError(.badFrame, "a server may not send a \(header.type) frame now")
        }
    }

    private mutating func greeting(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        try requireConnection(header)
        switch header.type {
        case .hello:
            let hello = try decode(Linaje_V1_ServerHello.self, payload, header)
            connectionCredit = Int(hello.connectionCredit)
            firstStreamCredit = Int(hello.streamCredit)
            concurrentStreams =
                hello.limits.concurrentStreams == 0
                ? Limits.concurrentStreams : Int(hello.limits.concurrentStreams)
            phase = .open
            return .welcome(hello)
        case .error:
            return .rejected(try decode(Linaje_V1_Failure.self, payload, header))
        default:
            throw LinajeError(.badFrame, "the server sent a \(header.type) frame before its hello")
        }
    }

    private mutating func response(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        let stream = try known(header)
        guard !stream.answered else {
            throw LinajeError(.badFrame, "stream \(header.stream) was answered twice")
        }
        if header.isEnd {
            streams[header.stream] = nil
        } else {
            streams[header.stream]?.answered = true
        }
        if stream.isCancelled { return .ignore }
        return .response(stream: header.stream, payload: payload, isEnd: header.isEnd)
    }

    private mutating func data(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        let stream = try known(header)
        guard stream.answered else {
            throw LinajeError(.badFrame, "data came on stream \(header.stream) before its answer")
        }
        guard payload.count <= stream.receiveCredit else {
            throw LinajeError(
                .flowControl,
                "data frame of \(payload.count) bytes on stream \(header.stream) came with "
                    + "\(stream.receiveCredit) bytes of credit left")
        }
        streams[header.stream]?.receiveCredit -= payload.count
        if stream.isCancelled { return .ignore }
        return .data(stream: header.stream, payload: payload)
    }

    private mutating func end(_ header: FrameHeader) throws(LinajeError) -> Action {
        let stream = try known(header)
        guard header.length == 0 else {
            throw LinajeError(.badFrame, "an end frame has no payload")
        }
        guard stream.answered else {
            throw LinajeError(.badFrame, "stream \(header.stream) ended before its answer")
        }
        streams[header.stream] = nil
        return stream.isCancelled ? .ignore : .finished(stream: header.stream)
    }

    private mutating func failure(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        let message = try decode(Linaje_V1_Failure.self, payload, header)
        if header.stream == 0 { return .rejected(message) }
        let stream = try known(header)
        streams[header.stream] = nil
        return stream.isCancelled ? .ignore : .failed(stream: header.stream, message)
    }

    private mutating func credit(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        let message = try decode(Linaje_V1_Credit.self, payload, header)
        guard message.bytes > 0, message.bytes <= UInt32(Int32.max) else {
            throw LinajeError(.badFrame, "a credit frame must grant 1 to 2^31-1 bytes")
        }
        if header.stream == 0 {
            connectionCredit = Self.sum(connectionCredit, Int(message.bytes))
        } else if let stream = streams[header.stream] {
            streams[header.stream]?.sendCredit = Self.sum(stream.sendCredit, Int(message.bytes))
        } else {
            guard wasOpened(header.stream) else { throw unknownStream(header) }
            return .ignore
        }
        return .credit(stream: header.stream)
    }

    /// A server may grant for ever to a client that never sends.
    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    // MARK: Frames to the server

    /// Opens a stream for a request whose payload has `requestBytes` bytes. Without `hasData` the
    /// request must carry the END flag.
    package mutating func open(requestBytes: Int, hasData: Bool) -> Opening {
        switch phase {
        case .awaitingHello: return .wait
        case .goingAway(let reason):
            return .refused(
                LinajeError(
                    .unavailable,
                    "the daemon takes no new requests on this connection (\(reason)); connect "
                        + "again"))
        case .open: break
        }
        guard let number = UInt32(exactly: nextStream) else {
            return .refused(
                LinajeError(.unavailable, "the connection has no stream left; connect again"))
        }
        guard streams.count < concurrentStreams, requestBytes <= connectionCredit else {
            return .wait
        }
        nextStream += 2
        connectionCredit -= requestBytes
        streams[number] = Stream(sendCredit: firstStreamCredit, maySend: hasData)
        return .opened(number)
    }

    /// Takes credit for data: as much as there is of `wanted`, or nothing when there is less than
    /// `least`. The caller sends a data frame of that many bytes.
    package mutating func reserve(_ wanted: Int, least: Int, stream: UInt32) -> Int {
        guard let state = streams[stream], state.maySend else { return 0 }
        let granted = min(wanted, connectionCredit, state.sendCredit)
        guard granted >= least else { return 0 }
        connectionCredit -= granted
        streams[stream]?.sendCredit -= granted
        return granted
    }

    /// Whether `bytes` of data may be sent on the stream at once.
    package func hasCredit(_ bytes: Int, stream: UInt32) -> Bool {
        guard let state = streams[stream] else { return false }
        return bytes <= connectionCredit && bytes <= state.sendCredit
    }

    /// Whether data may still be sent on the stream, given credit.
    package func maySend(_ stream: UInt32) -> Bool { streams[stream]?.maySend == true }

    /// This side has sent all its data; true when an end frame must be sent.
    package mutating func finish(_ stream: UInt32) -> Bool {
        guard streams[stream]?.maySend == true else { return false }
        streams[stream]?.maySend = false
        return true
    }

    /// This side no longer wants the answer; true when a cancel frame must be sent. What still
    /// comes on the stream is ignored.
    package mutating func cancel(_ stream: UInt32) -> Bool {
        guard let state = streams[stream], !state.isCancelled else { return false }
        streams[stream]?.isCancelled = true
        streams[stream]?.maySend = false
        return true
    }

    /// The consumer has used `bytes` of data; returns how many to grant in a credit frame now, if
    /// any: small amounts are saved up, a quarter of the window at a time.
    package mutating func used(_ bytes: Int, stream: UInt32) -> Int? {
        guard var state = streams[stream], !state.isCancelled else { return nil }
        state.owed += bytes
        guard state.owed >= state.window / 4 else {
            streams[stream] = state
            return nil
        }
        let grant = state.owed
        state.owed = 0
        state.receiveCredit += grant
        streams[stream] = state
        return grant
    }

    /// This side grants `bytes` besides what it has used; true when a credit frame must be sent.
    package mutating func widen(_ bytes: Int, stream: UInt32) -> Bool {
        guard let state = streams[stream], !state.isCancelled else { return false }
        streams[stream]?.window = Self.sum(state.window, bytes)
        streams[stream]?.receiveCredit = Self.sum(state.receiveCredit, bytes)
        return true
    }

    // MARK: Checks

    private func known(_ header: FrameHeader) throws(LinajeError) -> Stream {
        guard let stream = streams[header.stream] else { throw unknownStream(header) }
        return stream
    }

    private func wasOpened(_ stream: UInt32) -> Bool {
        stream % 2 == 1 && UInt64(stream) < nextStream
    }

    private func requireConnection(_ header: FrameHeader) throws(LinajeError) {
        guard header.stream == 0 else {
            throw LinajeError(
                .badFrame, "a \(header.type) frame belongs to stream 0, not \(header.stream)")
        }
    }

    private func unknownStream(_ header: FrameHeader) -> LinajeError {
        LinajeError(
            .badStream, "a \(header.type) frame came for stream \(header.stream), which is not open"
        )
    }

    private func decode<M: Message>(
        _ type: M.Type, _ payload: [UInt8], _ header: FrameHeader
    ) throws(LinajeError) -> M {
        guard let message = try? M(serializedBytes: payload) else {
            throw LinajeError(
                .badMessage, "payload of a \(header.type) frame is no \(M.protoMessageName)")
        }
        return message
    }
}
