import LinajeDomain
import LinajeTransport

/// Holds the one connection of a client and replaces it when it broke.
actor ConnectionStore {
    /// The daemon's socket.
    nonisolated let socket: String
    private nonisolated let agent: String
    private var current: ClientConnection?
    private var attempt: Task<ClientConnection, any Error>?

    init(socket: String, agent: String) {
        self.socket = socket
        self.agent = agent
    }

    /// The connection, made anew if there is none that works.
    func connection() async throws -> ClientConnection {
        if let current, current.isOpen { return current }
        if let attempt { return try await attempt.value }
        let (socket, agent) = (socket, agent)
        // Unstructured because everybody who asks meanwhile shares this one attempt, and one
        // caller's cancellation must not end it for the others.
        let task = Task { try await ClientConnection.connect(to: socket, agent: agent) }
        attempt = task
        defer { attempt = nil }
        let connection = try await task.value
        current = connection
        return connection
    }

    /// The first connection. A daemon that is being restarted accepts and then hangs up, or says
    /// hello late: it is tried again for as long as `patience`.
    ///
    /// - Throws: at once when nobody listens or the caller is not let in.
    func first(patience: Duration) async throws -> ClientConnection {
        let deadline = ContinuousClock.now + patience
        var backoff = Backoff()
        while true {
            do {
                return try await connection()
            } catch let error as LinajeError {
                let isRestart =
                    error.code == .handshakeTimeout
                    || error.code == .unavailable && error.details["unreachable"] == nil
                guard isRestart, ContinuousClock.now < deadline else { throw error }
            }
            try await backoff.wait()
        }
    }

    func close() {
        current?.close()
        current = nil
    }
}
