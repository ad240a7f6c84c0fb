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

    init(engine: any ScoringEngine, state: ScoringServerState, isTCP: Bool) {
        self.engine = engine
        self.state = state
        self.isTCP = isTCP
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        dropBody()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A request that is computed may take its time; one that does not come may not.
        if event is IdleStateHandler.IdleStateEvent, !isAnswering { end(context) }
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

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        request = head
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
        let stays = keeps && !state.isDraining
        var headers = HTTPHeaders([
            ("Content-Type", answer.type), ("Content-Length", String(answer.body.count)),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"), ("Connection", stays ? "keep-alive" : "close"),
        ])
        if let allow = answer.allow { headers.add(name: "Allow", value: allow) }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            let buffer = context.channel.allocator.buffer(bytes: answer.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            self.isAnswering = false
            self.state.end()
            if !stays { self.end(context) }
        }
    }

    private func dropBody() {
        state.giveBack(body.count)
        body = []
    }

    private func end(_ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        dropBody()
        context.close(promise: nil)
    }
}
