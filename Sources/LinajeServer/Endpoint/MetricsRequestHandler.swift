import LinajeDomain
import LinajeServices
import LinajeTransport
import NIOCore
import NIOHTTP1

/// Answers the one request of a connection and closes it.
final class MetricsRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// What is answered.
    struct Answer: Sendable {
        var status: HTTPResponseStatus
        var type = "text/plain; charset=utf-8"
        var body: String
        var allow: String?
    }

    private let status: StatusService
    private let access: AccessControl
    private var isAllowed = false
    private var request: HTTPRequestHead?
    private var isAnswering = false
    private var isOver = false
    private var deadline: Scheduled<Void>?

    init(status: StatusService, access: AccessControl) {
        self.status = status
        self.access = access
    }

    func channelActive(context: ChannelHandlerContext) {
        isAllowed = (try? Self.principal(of: context, access)) != nil
        deadline = context.eventLoop.assumeIsolated().scheduleTask(
            in: TimeAmount(Limits.endpointTime)
        ) { self.end(context) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Nothing more will come: without a request there is nothing to answer.
        if case .inputClosed? = event as? ChannelEvent, !isAnswering { end(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// The other handlers have answered what is no HTTP.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Whatever follows the first request on a connection is not read.
        guard !isAnswering, !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let request else { return }
            isAnswering = true
            answer(request, context)
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard isAllowed else {
            write(
                Answer(status: .forbidden, body: "no role here; ask for one in linaje.toml\n"),
                to: request, context)
            return
        }
        // A task of the event loop's future: it ends with the answer, which takes milliseconds.
        let (status, method, uri) = (status, request.method, request.uri)
        context.eventLoop.makeFutureWithTask { await Self.answer(method, uri, status) }
            .assumeIsolated().whenComplete { result in
                guard case .success(let answer) = result else { return self.end(context) }
                self.write(answer, to: request, context)
            }
    }

    private static func answer(
        _ method: HTTPMethod, _ uri: String, _ status: StatusService
    ) async -> Answer {
        let path = uri.prefix { $0 != "?" }
        guard path == "/metrics" || path == "/healthz" else {
            return Answer(status: .notFound, body: "there are /metrics and /healthz\n")
        }
        guard method == .GET || method == .HEAD else {
            return Answer(status: .methodNotAllowed, body: "use GET or HEAD\n", allow: "GET, HEAD")
        }
        if path == "/metrics" {
            return Answer(
                status: .ok, type: "text/plain; version=0.0.4; charset=utf-8",
                body: await status.exposition())
        }
        guard let failure = await status.failure() else { return Answer(status: .ok, body: "ok\n") }
        return Answer(status: .serviceUnavailable, body: "\(failure)\n")
    }

    private func write(
        _ answer: Answer, to request: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        guard !isOver else { return }
        var headers = HTTPHeaders([
            ("Content-Type", answer.type), ("Content-Length", String(answer.body.utf8.count)),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ])
        if let allow = answer.allow { headers.add(name: "Allow", value: allow) }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            let body = context.channel.allocator.buffer(string: answer.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            self.end(context)
        }
    }

    private func end(_ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        deadline?.cancel()
        context.close(promise: nil)
    }

    private static func principal(
        of context: ChannelHandlerContext, _ access: AccessControl
    ) throws -> Principal? {
        let peer = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { try PeerCredentials(socket: $0) }
        return try peer.map { try access.principal(uid: $0.uid, gid: $0.gid, groups: $0.groups) }
    }
}
