package import LinajeDomain
import SwiftProtobuf

/// The rules of a connection from the server's side, without a socket: frames in, actions out.
///
/// It knows which streams are open in which direction and how much was granted. Whoever owns the
/// socket performs the actions and decides nothing.
package struct ServerConnectionStateMachine: Sendable {
    /// What to do about a frame.
    package enum Action: Sendable, Hashable {
        /// Answer the hello; the connection is open from now on.
        case greet(ClientHelloPayload)
        /// A new stream with its request.
        case open(stream: UInt32, opcode: UInt16, payload: [UInt8], hasData: Bool)
        /// Data for an open stream.
        case data(stream: UInt32, payload: [UInt8])
        /// The client has sent all its data on the stream.
        case finished(stream: UInt32)
        /// The client no longer wants the answer.
        case cancelled(stream: UInt32)
        /// The client lets the server send more on the stream.
        case credit(stream: UInt32, bytes: Int)
        /// Answer a ping with the same payload.
        case pong([UInt8])
        /// Refuse one stream with an error; nothing was opened, and its bytes were dropped: give
        /// their connection credit back.
        case refuse(stream: UInt32, LinajeError, bytes: Int)
        /// The bytes were dropped: give their connection credit back.
        case drop(bytes: Int)
        /// Nothing.
        case ignore
    }

    /// The undecoded payload of a ClientHello.
    package struct ClientHelloPayload: Sendable, Hashable {
        package var bytes: [UInt8]
    }

    private enum Phase: Sendable {
        case awaitingHello
        case open
        case draining
    }

    private struct Stream: Sendable {
        var credit: Int
        /// The client may still send data.
        var acceptsData: Bool
    }

    private var phase = Phase.awaitingHello
    private var streams: [UInt32: Stream] = [:]
    private var lastStream: UInt32 = 0
    private var connectionCredit = Limits.firstConnectionCredit
    /// Closed streams on which the client may still be sending, because it said neither end nor
    /// cancel. Bounded: the oldest is forgotten, and a frame for it is then an error.
    private var lingering: [UInt32] = []

    package init() {}

    /// Streams that are open.
    package var openStreams: Int { streams.count }
    /// The highest stream the client has opened.
    package var highestStream: UInt32 { lastStream }

    /// Whether a payload of `header.length` bytes may come now; asked before memory is taken for it.
    ///
    /// - Throws: an error that ends the connection.
    package func admit(_ header: FrameHeader) throws(LinajeError) {
        switch header.type {
        case .request, .data:
            if case .awaitingHello = phase { throw Self.helloFirst(header.type) }
            guard header.length <= connectionCredit else {
                throw LinajeError(
                    .flowControl,
                    "\(header.type) frame of \(header.length) bytes on stream \(header.stream) came "
                        + "with \(connectionCredit) bytes of connection credit left")
            }
            if header.type == .data, let stream = streams[header.stream], stream.acceptsData {
                guard header.length <= stream.credit else {
                    throw LinajeError(
                        .flowControl,
                        "data frame of \(header.length) bytes on stream \(header.stream) came with "
                            + "\(stream.credit) bytes of credit left")
                }
            }
            if header.type == .request, header.length > Limits.requestBytes {
                throw LinajeError(
                    .frameTooLarge,
                    "request of \(header.length) bytes is too large; at most "
                        + "\(Limits.requestBytes) are allowed")
            }
        default:
            guard header.length <= Self.controlBytes else {
                throw LinajeError(
                    .frameTooLarge,
                    "\(header.type) frame of \(header.length) bytes is too large; at most "
                        + "\(Self.controlBytes) are allowed")
            }
        }
    }

    /// Takes a frame in.
    ///
    /// - Throws: an error that ends the connection.
    package mutating func receive(
        _ header: FrameHeader, payload: [UInt8]
    ) throws(LinajeError) -> Action {
        try admit(header)
        if case .awaitingHello = phase {
            guard header.type == .hello, header.stream == 0 else {
                throw Self.helloFirst(header.type)
            }
            phase = .open
            return .greet(ClientHelloPayload(bytes: payload))
        }
        switch header.type {
        case .request: return try request(header, payload)
        case .data: return try data(header, payload)
        case .end: return try end(header)
        case .cancel: return try cancel(header)
        case .credit: return try credit(header, payload)
        case .ping:
            try requireConnection(header)
            return .pong(payload)
        case .pong, .goaway:
            try requireConnection(header)
            return .ignore
        case .hello, .response, .error:
            throw LinajeError(.badFrame, "a client may not send a \(header.type) frame now")
        }
    }

    /// Grants bytes on the connection; the caller sends the credit frame.
    package mutating func grantConnection(_ bytes: Int) { connectionCredit += bytes }

    /// Grants bytes on a stream; false when the stream is over and nothing should be sent.
    package mutating func grant(_ bytes: Int, stream: UInt32) -> Bool {
        guard streams[stream]?.acceptsData == true else { return false }
        streams[stream]?.credit += bytes
        return true
    }

    /// The server has sent its last frame on the stream.
    package mutating func close(_ stream: UInt32) {
        guard let state = streams.removeValue(forKey: stream) else { return }
        if state.acceptsData { linger(stream) }
    }

    /// New streams are refused from now on.
    package mutating func drain() {
        if case .open = phase { phase = .draining }
    }

    /// Longest payload of a frame that is neither request nor data.
    package static let controlBytes = 16 << 10

    private mutating func request(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        guard header.stream % 2 == 1, header.stream > lastStream else {
            throw LinajeError(
                .badStream,
                "stream \(header.stream) cannot be opened: streams are odd and each is higher than "
                    + "the last, \(lastStream)")
        }
        lastStream = header.stream
        connectionCredit -= payload.count
        let hasData = !header.isEnd
        if case .draining = phase {
            if hasData { linger(header.stream) }
            return .refuse(
                stream: header.stream,
                LinajeError(.unavailable, "the daemon is shutting down; connect again"),
                bytes: header.length)
        }
        guard streams.count < Limits.concurrentStreams else {
            if hasData { linger(header.stream) }
            return .refuse(
                stream: header.stream,
                LinajeError(
                    .overloaded,
                    "connection has \(streams.count) open streams; wait for one to end"),
                bytes: header.length)
        }
        streams[header.stream] = Stream(credit: Limits.streamCredit, acceptsData: hasData)
        return .open(
            stream: header.stream, opcode: header.opcode, payload: payload, hasData: hasData)
    }

    private mutating func data(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        connectionCredit -= payload.count
        if streams[header.stream] == nil {
            guard lingering.contains(header.stream) else { throw unknownStream(header) }
            return .drop(bytes: payload.count)
        }
        guard streams[header.stream]?.acceptsData == true else {
            throw LinajeError(
                .badFrame, "data came on stream \(header.stream) after the client had ended it")
        }
        streams[header.stream]?.credit -= payload.count
        return .data(stream: header.stream, payload: payload)
    }

    private mutating func end(_ header: FrameHeader) throws(LinajeError) -> Action {
        guard header.length == 0 else {
            throw LinajeError(.badFrame, "an end frame has no payload")
        }
        if let index = lingering.firstIndex(of: header.stream) {
            lingering.remove(at: index)
            return .ignore
        }
        guard streams[header.stream] != nil else { throw unknownStream(header) }
        guard streams[header.stream]?.acceptsData == true else {
            throw LinajeError(.badFrame, "stream \(header.stream) was ended twice")
        }
        streams[header.stream]?.acceptsData = false
        return .finished(stream: header.stream)
    }

    private mutating func cancel(_ header: FrameHeader) throws(LinajeError) -> Action {
        guard header.length == 0 else {
            throw LinajeError(.badFrame, "a cancel frame has no payload")
        }
        if let index = lingering.firstIndex(of: header.stream) {
            lingering.remove(at: index)
            return .ignore
        }
        guard streams[header.stream] != nil else {
            // The answer and the cancel crossed on the way.
            guard header.stream % 2 == 1, header.stream <= lastStream else {
                throw unknownStream(header)
            }
            return .ignore
        }
        streams[header.stream]?.acceptsData = false
        return .cancelled(stream: header.stream)
    }

    private mutating func credit(
        _ header: FrameHeader, _ payload: [UInt8]
    ) throws(LinajeError) -> Action {
        guard let message = try? Linaje_V1_Credit(serializedBytes: payload), message.bytes > 0,
            message.bytes <= UInt32(Int32.max)
        else {
            throw LinajeError(.badFrame, "a credit frame must grant 1 to 2^31-1 bytes")
        }
        guard header.stream == 0 || streams[header.stream] != nil else {
            guard header.stream % 2 == 1, header.stream <= lastStream else {
                throw unknownStream(header)
            }
            return .ignore
        }
        return .credit(stream: header.stream, bytes: Int(message.bytes))
    }

    private mutating func linger(_ stream: UInt32) {
        lingering.append(stream)
        if lingering.count > Limits.concurrentStreams { lingering.removeFirst() }
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

    private static func helloFirst(_ type: FrameType) -> LinajeError {
        LinajeError(.badFrame, "a \(type) frame came before the hello; send hello first")
    }
}
