import Glibc
import LinajeDomain
import LinajeWire
import NIOPosix
import Synchronization
import Testing

@testable import LinajeTransport

@Suite("The listener")
struct UnixListenerTests {
    /// Counts what happens to it.
    private final class Session: ServerSession {
        static let opened = Atomic<Int>(0)
        static let closed = Atomic<Int>(0)

        init() { Self.opened.add(1, ordering: .relaxed) }

        func greet(_ hello: Linaje_V1_ClientHello) throws -> Linaje_V1_ServerHello { .init() }
        func open(stream: UInt32, opcode: UInt16, payload: [UInt8], hasData: Bool) {}
        func data(stream: UInt32, payload: [UInt8]) {}
        func finished(stream: UInt32) {}
        func cancelled(stream: UInt32) {}
        func draining() {}
        func closed() { Self.closed.add(1, ordering: .relaxed) }
    }

    @Test("a listener that is cancelled hangs up on all and returns", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        let path = "/tmp/lnj-listener-\(getpid()).sock"
        let listener = UnixListener(
            socket: try ListeningSocket.bind(path: path, mode: 0o600),
            group: MultiThreadedEventLoopGroup.singleton
        ) { _ in Session() }
        let (ready, isReady) = AsyncStream<Void>.makeStream()
        let running = Task { try await listener.run { isReady.finish() } }
        for await _ in ready {}
        let client = try await ClientConnection.connect(to: path, agent: "test")
        running.cancel()
        try await running.value
        #expect(Session.opened.load(ordering: .relaxed) == 1)
        #expect(Session.closed.load(ordering: .relaxed) == 1)
        #expect(access(path, F_OK) != 0)
        withExtendedLifetime(client) {}
    }
}
