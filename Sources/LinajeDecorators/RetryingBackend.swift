import LinajeDomain
package import LinajePluginKit

/// How often a call is made again, and after what pauses.
package struct RetryPolicy: Sendable, Hashable {
    /// How often a call is made at most.
    package var attempts: Int
    /// The first pause, at most; each further one may be twice as long.
    package var firstPause: Duration
    package var longestPause: Duration
    /// Bytes of one object that are kept to write it again.
    package var replayBytes: Int

    package init(
        attempts: Int = 4, firstPause: Duration = .milliseconds(200),
        longestPause: Duration = .seconds(10), replayBytes: Int = 128 << 20
    ) {
        self.attempts = max(1, attempts)
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.replayBytes = replayBytes
    }

    /// Whether the same call may succeed a moment later. That a disk is full does not pass so soon,
    /// and who cancelled a call does not want it.
    static func passes(_ error: any Error) -> Bool {
        guard let error = error as? LinajeError else { return false }
        return [.unavailable, .overloaded, .deadlineExceeded, .pluginFailed].contains(error.code)
    }

    /// Somewhere between nothing and the whole of it, so that those who failed together do not come
    /// back together.
    func pause(after attempt: Int) -> Duration {
        min(firstPause * (1 << min(attempt - 1, 16)), longestPause) * Double.random(in: 0...1)
    }

    /// Makes a call until it succeeds, or fails for good, or was made often enough.
    func run<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        var attempt = 1
        while true {
            do {
                return try await body()
            } catch  where attempt < attempts && Self.passes(error) {
                try await Task.sleep(for: pause(after: attempt))
                attempt += 1
            }
        }
    }
}

/// Makes calls again that failed for a moment. For backends that do not do it themselves: those of
/// third parties, in processes of their own that may be started anew.
package struct RetryingBackend: ArtifactBackend {
    private let backend: any ArtifactBackend
    private let policy: RetryPolicy

    package init(_ backend: any ArtifactBackend, policy: RetryPolicy = RetryPolicy()) {
        self.backend = backend
        self.policy = policy
    }

    package var descriptor: PluginDescriptor { backend.descriptor }
    package var properties: ArtifactBackendProperties { backend.properties }

    package func put(_ key: String) async throws -> any ArtifactWriter {
        let writer = try await policy.run { try await backend.put(key) }
        return RetryingWriter(backend: backend, policy: policy, key: key, writer: writer)
    }

    package func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try await policy.run { try await backend.get(key, range: range) }
    }

    package func stat(_ key: String) async throws -> UInt64? {
        try await policy.run { try await backend.stat(key) }
    }

    package func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        var found: [(key: String, size: UInt64)] = []
        try await policy.run { found = try await backend.list(prefix: prefix) }
        return found
    }

    package func remove(_ key: String) async throws {
        try await policy.run { try await backend.remove(key) }
    }

    package func close() async { await backend.close() }
}

/// An object on its way that is begun again when its writer fails. What was written is kept until
/// then, up to a bound: arrays of the caller, not copies.
private actor RetryingWriter: ArtifactWriter {
    private let backend: any ArtifactBackend
    private let policy: RetryPolicy
    private let key: String
    private var writer: any ArtifactWriter
    private var kept: [[UInt8]] = []
    private var keptBytes = 0
    private var canReplay = true
    private var attempt = 1

    init(
        backend: any ArtifactBackend, policy: RetryPolicy, key: String, writer: any ArtifactWriter
    ) {
        self.backend = backend
        self.policy = policy
        self.key = key
        self.writer = writer
    }

    func write(_ bytes: [UInt8]) async throws {
        if canReplay, bytes.count <= policy.replayBytes - keptBytes {
            kept.append(bytes)
            keptBytes += bytes.count
        } else {
            canReplay = false
            kept = []
        }
        try await step(bytes)
    }

    func commit() async throws {
        try await step(nil)
        kept = []
        canReplay = false
    }

    func abort() async { await writer.abort() }

    /// Writes, or commits for `nil`; where that fails for a moment, everything up to it with a new
    /// writer.
    private func step(_ bytes: [UInt8]?) async throws {
        var isAgain = false
        while true {
            do {
                if isAgain {
                    writer = try await backend.put(key)
                    for bytes in kept { try await writer.write(bytes) }
                } else if let bytes {
                    try await writer.write(bytes)
                }
                if bytes == nil { try await writer.commit() }
                return
            } catch  where attempt < policy.attempts && canReplay && RetryPolicy.passes(error) {
                await writer.abort()
                try await Task.sleep(for: policy.pause(after: attempt))
                attempt += 1
                isAgain = true
            }
        }
    }
}
