import LinajeDomain
import LinajePluginKit
import Synchronization

/// A backend whose calls fail for a moment: before they did anything, or after they did it all.
final class UnsteadyBackend: ArtifactBackend {
    private let backend: any ArtifactBackend
    /// Of how many calls one fails, writes of bytes apart; 0: none.
    private let every: Int
    /// Of how many writes one fails.
    private let everyWrite: Int
    private let error: LinajeError
    private let calls = Atomic<Int>(0)
    private let writes = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)

    init(
        _ backend: any ArtifactBackend, every: Int, everyWrite: Int = 0,
        error: LinajeError = LinajeError(.unavailable, "made by the test")
    ) {
        self.backend = backend
        self.every = every
        self.everyWrite = everyWrite
        self.error = error
    }

    /// How many calls were made, writes of bytes apart.
    var callCount: Int { calls.load(ordering: .relaxed) }

    var descriptor: PluginDescriptor { backend.descriptor }
    var properties: ArtifactBackendProperties { backend.properties }

    func put(_ key: String) async throws -> any ArtifactWriter {
        let writer = try await unsteady { try await backend.put(key) }
        return Writer(backend: self, writer: writer)
    }

    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try await unsteady { try await backend.get(key, range: range) }
    }

    func stat(_ key: String) async throws -> UInt64? {
        try await unsteady { try await backend.stat(key) }
    }

    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await unsteady { try await backend.list(prefix: prefix) }
    }

    func remove(_ key: String) async throws {
        try await unsteady { try await backend.remove(key) }
    }

    private func unsteady<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await fail(calls.wrappingAdd(1, ordering: .relaxed).newValue, of: every, body)
    }

    private func unsteadyWrite(_ body: () async throws -> Void) async throws {
        try await fail(writes.wrappingAdd(1, ordering: .relaxed).newValue, of: everyWrite, body)
    }

    private func fail<Value>(
        _ number: Int, of every: Int, _ body: () async throws -> Value
    ) async throws -> Value {
        guard every > 0, number.isMultiple(of: every) else { return try await body() }
        let isAfter = failures.wrappingAdd(1, ordering: .relaxed).newValue.isMultiple(of: 2)
        if isAfter { _ = try await body() }
        throw error
    }

    private struct Writer: ArtifactWriter {
        let backend: UnsteadyBackend
        let writer: any ArtifactWriter

        func write(_ bytes: [UInt8]) async throws {
            try await backend.unsteadyWrite { try await writer.write(bytes) }
        }

        func commit() async throws { try await backend.unsteady { try await writer.commit() } }
        func abort() async { await writer.abort() }
    }
}
