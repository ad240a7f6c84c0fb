package import LinajeDomain
package import LinajePluginKit
import Synchronization

/// Lets no more bytes pass in a second than it was told, so that a push leaves room on the wire for
/// the training beside it. Reads and writes have a rate each.
package struct ThrottledBackend: ArtifactBackend {
    private let backend: any ArtifactBackend
    private let reads: RateLimit?
    private let writes: RateLimit?

    /// - Parameters:
    ///   - readRate: bytes a second; `nil`: no bound.
    ///   - writeRate: bytes a second; `nil`: no bound.
    package init(
        _ backend: any ArtifactBackend, readRate: ByteCount? = nil, writeRate: ByteCount? = nil
    ) {
        self.backend = backend
        reads = readRate.map { RateLimit($0) }
        writes = writeRate.map { RateLimit($0) }
    }

    package var descriptor: PluginDescriptor { backend.descriptor }
    package var properties: ArtifactBackendProperties { backend.properties }

    package func put(_ key: String) async throws -> any ArtifactWriter {
        let writer = try await backend.put(key)
        guard let writes else { return writer }
        return ThrottledWriter(writer: writer, limit: writes)
    }

    package func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        guard let reads else { return try await backend.get(key, range: range) }
        // How much will come is not known before it has: it is paid for by whoever comes next.
        try await reads.take(0)
        let bytes = try await backend.get(key, range: range)
        reads.owe(bytes.count)
        return bytes
    }

    package func stat(_ key: String) async throws -> UInt64? { try await backend.stat(key) }

    package func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await backend.list(prefix: prefix)
    }

    package func remove(_ key: String) async throws { try await backend.remove(key) }

    package func close() async { await backend.close() }
}

private struct ThrottledWriter: ArtifactWriter {
    let writer: any ArtifactWriter
    let limit: RateLimit

    func write(_ bytes: [UInt8]) async throws {
        try await limit.take(bytes.count)
        try await writer.write(bytes)
    }

    func commit() async throws { try await writer.commit() }
    func abort() async { await writer.abort() }
}

/// A rate that all tasks share: each takes its bytes from the line in the order in which it comes,
/// and waits until those before it have had their time. What was not used does not add up.
package final class RateLimit: Sendable {
    private let rate: Double
    /// When the line is free again.
    private let free: Mutex<ContinuousClock.Instant>

    package init(_ bytesPerSecond: ByteCount) {
        rate = Double(max(1, bytesPerSecond.bytes))
        free = Mutex(.now)
    }

    /// Waits for its turn, then occupies the line for the time that the bytes take.
    package func take(_ bytes: Int) async throws {
        let turn = reserve(bytes)
        if turn > .now { try await Task.sleep(until: turn, clock: .continuous) }
    }

    /// Occupies the line for bytes that have passed already.
    package func owe(_ bytes: Int) { _ = reserve(bytes) }

    private func reserve(_ bytes: Int) -> ContinuousClock.Instant {
        let now = ContinuousClock.now
        return free.withLock { free in
            let turn = max(free, now)
            free = turn + .seconds(Double(bytes) / rate)
            return turn
        }
    }
}
