import LinajeDomain
package import LinajeServices
package import LinajeTransport
package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Answers `GET /metrics` and `GET /healthz` over HTTP/1.1 on a Unix socket, for programs that
/// collect metrics. Off unless the configuration names a socket; there is no TCP port.
///
/// Who asks, the kernel says, as on the daemon's own socket; nothing in a request is believed. A
/// connection is one request: its size, its time and the number of connections are bounded
/// (`Limits`), so that nobody can make the daemon busy through this door.
package struct MetricsEndpoint: Service {
    private let socket: ListeningSocket
    private let group: any EventLoopGroup
    private let status: StatusService
    private let access: AccessControl
    private let logger: Logger

    package init(
        socket: ListeningSocket, group: any EventLoopGroup, services: Services, logger: Logger
    ) {
        self.socket = socket
        self.group = group
        status = services.status
        access = services.access
        self.logger = logger
    }

    /// Answers until graceful shutdown, then cuts who is still there.
    package func run() async throws {
        let open = OpenChannels()
        let (status, access) = (status, access)
        let server = try await ServerBootstrap(group: group)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            // A client that has sent its request may close its half and still be answered.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { child in
                guard open.add(child) else {
                    return child.close()
                }
                child.closeFuture.whenComplete { _ in open.remove(child) }
                return child.eventLoop.makeCompletedFuture {
                    let pipeline = child.pipeline.syncOperations
                    try pipeline.addHandler(RequestBudget())
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: true)
                    try pipeline.addHandler(MetricsRequestHandler(status: status, access: access))
                }
            }
            .withBoundSocket(socket.descriptor)
            .get()
        logger.notice("metrics over HTTP on \(socket.ownedPath ?? "a socket that was handed over")")
        await withGracefulShutdownHandler {
            try? await server.closeFuture.get()
        } onGracefulShutdown: {
            server.close(promise: nil)
            open.closeAll()
        }
        socket.removeFile()
    }
}

/// The connections that are open, as many as may be.
private final class OpenChannels: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// False when there is no room for one more.
    func add(_ channel: any Channel) -> Bool {
        channels.withLock { channels in
            guard channels.count < Limits.endpointConnections else { return false }
            channels[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    func remove(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = nil }
    }

    func closeAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}
