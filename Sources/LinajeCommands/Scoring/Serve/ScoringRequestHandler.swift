import LinajeDomain
import NIOCore
import NIOHTTP1

/// Answers the requests of one connection, one after the other.
final class ScoringRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let engine: any ScoringEngine
    private let state: ScoringServerState
    private let isTCP: Bool
    private var request: HTTPRequestHead?
    private var body: [UInt8] = []
    /// Why the request under way is refused before it is whole.
    private var refusal: ScoringAnswer?
    private var isOver = false
    private var isAnswering = false
    /// The request that comes, or the answer that is taken.
    private let watch: PaceWatch

    /// Bytes of an answer that are given to the connection at a time.
    private static let pieceBytes = 256 << 10
    /// Longest answer that needs no room: it is said also when there is none.
    private static let smallBytes = 16 << 10

    init(engine: any ScoringEngine, state: ScoringServerState, isTCP: Bool) {
        self.engine = engine
        self.state = state
        self.isTCP = isTCP
        watch = PaceWatch(state.configuration.pace)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        watch.end()
        dropBody()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A request that is computed may take its time; one that does not come may not.
        if event is IdleStateHandler.IdleStateEvent, !isAnswering { end(context) }
        if event is FirstBytesHandler.BytesCame, !isAnswering { expect(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// The other handlers have answered what is no HTTP.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let part): take(part, context)
        case .end: answer(context)
        }
    }

    /// A request comes: from its first byte to its last at a pace.
    private func expect(_ context: ChannelHandlerContext) {
        guard !watch.isOn, !isOver else { return }
        watch.begin(on: context.eventLoop) { self.end(context) }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        request = head
        // Its bytes may have come during the answer before.
        expect(context)
        if isTCP, !isNamed(head) {
            refusal = .failure(
                .forbidden, "PERMISSION_DENIED",
                "the Host header names another server; --allow-host lets a name in")
        } else if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
            length > state.configuration.bodyBytes
        {
            refusal = tooLarge
        } else if head.headers[canonicalForm: "expect"].contains("100-continue") {
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }
        // What is refused is not read: who goes on sending is cut off.
        if refusal != nil { answer(context, closes: true) }
    }

    private func isNamed(_ head: HTTPRequestHead) -> Bool {
        let hosts = head.headers["host"]
        return hosts.count == 1 && state.isOurs(hosts.first)
    }

    private func take(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
        guard request != nil, refusal == nil else { return }
        let bytes = part.readableBytesView
        if body.count + bytes.count > state.configuration.bodyBytes {
            refusal = tooLarge
        } else if !state.take(bytes.count) {
            refusal = .failure(
                .serviceUnavailable, "TEMPORARILY_UNAVAILABLE",
                "the bodies of requests take more memory than is meant for them; try again later")
        } else {
            body += bytes
            watch.moved(bytes.count)
            return
        }
        answer(context, closes: true)
    }

    private var tooLarge: ScoringAnswer {
        let most = ByteCount(UInt64(state.configuration.bodyBytes))
        return .failure(
            .payloadTooLarge, "BAD_REQUEST",
            "the body has more than \(most); send the rows in parts")
    }

    private func answer(_ context: ChannelHandlerContext, closes: Bool = false) {
        guard let request else { return }
        self.request = nil
        watch.end()
        isAnswering = true
        state.begin()
        let keeps = request.isKeepAlive && !closes
        if let refusal {
            self.refusal = nil
            dropBody()
            return write(refusal, to: request, keeps: keeps, context)
        }
        let (engine, state) = (engine, state)
        let whole = body
        body = []
        // A task of the event loop's future: it ends with the answer.
        context.eventLoop.makeFutureWithTask {
            let type = request.headers.first(name: "content-type")
            let answer = await ScoringRoutes.answer(
                request.method, request.uri, type: type, body: whole, engine)
            state.giveBack(whole.count)
            return answer
        }.assumeIsolated().whenComplete { result in
            let answer =
                switch result {
                case .success(let answer): answer
                case .failure(let error): ScoringAnswer(error)
                }
            self.write(answer, to: request, keeps: keeps, context)
        }
    }

    private func write(
        _ answer: ScoringAnswer, to request: HTTPRequestHead, keeps: Bool,
        _ context: ChannelHandlerContext
    ) {
        guard !isOver else {
            isAnswering = false
            return state.end()
        }
        var answer = answer
        var taken = answer.body.count > Self.smallBytes ? answer.body.count : 0
        if !state.take(taken) {
            answer = .failure(
                .serviceUnavailable, "TEMPORARILY_UNAVAILABLE",
                "answers that others have not read yet take the memory that is meant for them; try "
                    + "again later, or send fewer rows")
            taken = 0
        }
        let stays = keeps && !state.isDraining
        context.write(wrapOutboundOut(.head(head(of: answer, stays: stays))), promise: nil)
        watch.begin(on: context.eventLoop) { self.end(context) }
        let body = request.method == .HEAD ? [] : answer.body
        write(body[...], context) {
            self.watch.end()
            self.isAnswering = false
            self.state.giveBack(taken)
            self.state.end()
            if !stays { self.end(context) }
        }
    }

    private func head(of answer: ScoringAnswer, stays: Bool) -> HTTPResponseHead {
        var headers = HTTPHeaders([
            ("Content-Type", answer.type), ("Content-Length", String(answer.body.count)),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"), ("Connection", stays ? "keep-alive" : "close"),
        ])
        if let allow = answer.allow { headers.add(name: "Allow", value: allow) }
        return HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
    }

    /// Writes what is left of a body, each piece when the one before was taken, and the end.
    ///
    /// - Parameter done: Runs once, also when the connection has ended meanwhile.
    private func write(
        _ body: ArraySlice<UInt8>, _ context: ChannelHandlerContext, _ done: @escaping () -> Void
    ) {
        let piece = body.prefix(Self.pieceBytes)
        let rest = body.dropFirst(piece.count)
        let part = HTTPServerResponsePart.body(
            .byteBuffer(context.channel.allocator.buffer(bytes: piece)))
        guard rest.isEmpty else {
            context.writeAndFlush(wrapOutboundOut(part)).assumeIsolated().whenComplete { result in
                guard case .success = result else { return done() }
                self.watch.moved(piece.count)
                self.write(rest, context, done)
            }
            return
        }
        if !piece.isEmpty { context.write(wrapOutboundOut(part), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            done()
        }
    }

    private func dropBody() {
        state.giveBack(body.count)
        body = []
    }

    private func end(_ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        watch.end()
        dropBody()
        context.close(promise: nil)
    }
}
