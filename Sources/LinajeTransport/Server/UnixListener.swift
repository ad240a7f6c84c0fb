import LinajeDomain
import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix

/// Accepts connections on a Unix socket and makes a session for each.
///
/// `run` returns when all of them and their tasks have ended; `drain` lets them end in peace.
package final class UnixListener: Sendable {
    /// Makes the session of a new connection; called on the connection's event loop.
    package typealias MakeSession = @Sendable (ServerConnection) -> any ServerSession

    private let socket: ListeningSocket
    private let group: any EventLoopGroup
    private let makeSession: MakeSession
    private let patience: Duration
    private let onCut: SlowClientWatch.OnCut
    private let connections = OpenConnections()
    private let door = NIOLockedValueBox(Door())

    private struct Door {
        var channel: (any Channel)?
        var isClosed = false
    }

    /// - Parameters:
    ///   - patience: how long a client may keep its connection waiting (PROTOCOL.md, "Slow
    ///     clients").
    ///   - onCut: called on an event loop when a client is cut off for that.
    package init(
        socket: ListeningSocket, group: any EventLoopGroup,
        patience: Duration = Limits.slowClientPatience,
        onCut: @escaping SlowClientWatch.OnCut = { _, _ in },
        makeSession: @escaping MakeSession
    ) {
        self.socket = socket
        self.patience = patience
        self.onCut = onCut
        self.group = group
        self.makeSession = makeSession
    }

    /// Starts to accept, calls `ready`, and returns once the socket and all sessions have ended.
    /// Cancelled, it hangs up on all.
    package func run(ready: @Sendable () -> Void) async throws {
        let (socket, makeSession) = (socket, makeSession)
        let connections = connections
        let seats = ConnectionSeats()
        let metrics = ConnectionMetrics()
        let watches = SlowClientWatches(group, patience: patience, onCut: onCut)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(
                        AcceptPause(whenListening: socket.widenBacklog))
                }
            }
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(low: Limits.unreadBytes / 4, high: Limits.unreadBytes)
            )
            .childChannelOption(.maxMessagesPerRead, value: 2)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 2_048, initial: 4_096, maximum: Limits.readBytes)
            )
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    let handler = ServerChannelHandler(
                        connections: connections, watch: watches[child.eventLoop],
                        metrics: metrics, makeSeat: seats.take(user:), makeSession: makeSession)
                    try child.pipeline.syncOperations.addHandler(handler)
                }
            }
            .withBoundSocket(socket.descriptor)
            .get()
        // A drain that came before the socket was bound finds nothing to close: it is closed here.
        let isClosed = door.withLockedValue { door in
            door.channel = server
            return door.isClosed
        }
        if isClosed { server.close(promise: nil) }
        ready()
        await withTaskCancellationHandler {
            try? await server.closeFuture.get()
            await connections.end()
        } onCancel: {
            // Unstructured because the handler is synchronous; what is waited for above ends with it.
            Task { await self.drain(grace: .zero) }
        }
        socket.removeFile()
    }

    /// Stops accepting and asks every client to leave; those that have not left after `grace` are
    /// cut off.
    ///
    /// A connection that was accepted is served: it is greeted and then asked to leave. Those that
    /// still wait to be accepted stay in the socket's queue, and when somebody else holds the socket,
    /// the next daemon accepts them.
    package func drain(grace: Duration) async {
        let channel = door.withLockedValue { door in
            door.isClosed = true
            return door.channel
        }
        if let channel { await stopAccepting(channel) }
        let clock = ContinuousClock()
        let deadline = clock.now + grace
        var asked: Set<ObjectIdentifier> = []
        while clock.now < deadline {
            let open = connections.all
            guard !open.isEmpty else { break }
            for (id, connection) in open where asked.insert(id).inserted {
                connection.drain(reason: "the daemon is shutting down")
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        for connection in connections.all.values { connection.close() }
    }

    /// Closes the door in two steps, because a connection that SwiftNIO is handing from one event
    /// loop to another when the server channel closes is dropped without a word: first no more are
    /// accepted, then those under way arrive.
    private func stopAccepting(_ channel: any Channel) async {
        try? await channel.setOption(.autoRead, value: false).get()
        // From the server's loop to the connection's and back, twice at most.
        for _ in 0..<2 {
            try? await channel.eventLoop.submit {}.get()
            for loop in group.makeIterator() { try? await loop.submit {}.get() }
        }
        try? await channel.close()
    }
}
