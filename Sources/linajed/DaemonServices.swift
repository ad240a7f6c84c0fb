import LinajeArtifacts
import LinajeCatalog
import LinajeHost
import LinajeTransport
import Logging
import NIOPosix
import ServiceLifecycle

/// The door: accepts connections until the daemon stops, then lets them end in peace.
struct ListenerService: Service {
    let listener: UnixListener
    let notification: ServiceNotification
    let logger: Logger
    let readyMessage: String

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await listener.run {
                notification.ready(readyMessage)
                logger.notice("\(readyMessage)")
            }
        } onGracefulShutdown: {
            notification.stopping("letting open calls end")
            // Unstructured because the handler is synchronous and draining waits; it ends by its
            // own deadline, and `listener.run` returns only after it.
            Task { await listener.drain(grace: .seconds(10)) }
        }
    }
}

/// Forgets what has expired: idempotency keys and ingest sessions that nobody uses.
struct ExpiryService: Service {
    let catalog: CatalogStore
    let store: ArtifactStore
    let logger: Logger

    func run() async throws {
        let ticks = AsyncStream<Void> { continuation in
            // Unstructured because the stream owns it: it ends with the stream.
            let timer = Task {
                while (try? await Task.sleep(for: .seconds(60))) != nil { continuation.yield() }
            }
            continuation.onTermination = { _ in timer.cancel() }
        }
        for await _ in ticks.cancelOnGracefulShutdown() {
            await store.expireIngests()
            do {
                try await catalog.expireIdempotency()
            } catch {
                logger.error("cannot forget expired idempotency keys: \(error)")
            }
        }
    }
}

/// Closes what must be closed last. It is the first service, so it stops last.
struct ClosingService: Service {
    let close: @Sendable () async -> Void

    func run() async throws {
        try? await gracefulShutdown()
        await close()
    }
}
