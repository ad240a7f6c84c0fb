import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Logging
import SQLiteBackend
import Testing

@testable import LinajeServices

@Suite("Backups of a daemon")
struct BackupServiceTests {
    /// A store of no objects.
    private struct NoObjects: ArtifactBackend {
        var descriptor: PluginDescriptor {
            PluginDescriptor(name: "none", kind: .artifactBackend, version: "1")
        }
        var properties: ArtifactBackendProperties {
            ArtifactBackendProperties(parallelRequests: 1, isRemote: false)
        }

        func put(_ key: String) async throws -> any ArtifactWriter { throw nothing(key) }
        func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] { throw nothing(key) }
        func stat(_ key: String) async throws -> UInt64? { nil }
        func list(prefix: String) async throws -> [(key: String, size: UInt64)] { [] }
        func remove(_ key: String) async throws {}

        private func nothing(_ key: String) -> LinajeError { LinajeError(.notFound, key) }
    }

    private func withService(
        idle: Duration, _ body: (BackupService, ArtifactStore) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "linaje-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("linaje state 1\nlinajed 0\n".utf8).write(to: URL(filePath: folder + "/format"))
        let backend = try SQLiteBackend(path: folder + "/catalog.db")
        let store = ArtifactStore(backend: NoObjects(), index: backend, clock: SystemClock())
        try await store.prepare()
        let service = BackupService(
            store: store, databases: [("catalog.db", backend)], stateDirectory: folder,
            idle: idle, logger: Logger(label: "test"))
        try await body(service, store)
        try await backend.close()
    }

    @Test("a backup of which nothing is read is given up, and another may begin")
    func idle() async throws {
        try await withService(idle: .milliseconds(50)) { service, store in
            for _ in 0..<2 {
                let error = await #expect(throws: LinajeError.self) {
                    try await service.open(.random(), report: { _ in }) {
                        try? await Task.sleep(for: .seconds(60))
                    }
                }
                #expect(error?.message.contains("given up") == true)
            }
            try await store.keepingPacks(as: "a test") {}
        }
    }

    @Test("the copy of a database is one state of it, with what its log holds, and goes by itself")
    func copy() async throws {
        try await withService(idle: .seconds(60)) { service, _ in
            let id = IngestID.random()
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            let (over, end) = AsyncStream.makeStream(of: Void.self)
            let backup = Task {
                try await service.open(id, report: { _ in }) {
                    open.finish()
                    for await _ in over {}
                }
            }
            for await _ in opened {}
            var bytes: [UInt8] = []
            try await service.read(id, "catalog.db", begin: { _ in }) { bytes += $0 }
            #expect(bytes.starts(with: Array("SQLite format 3\0".utf8)))
            await #expect(throws: LinajeError.self) {
                try await service.read(.random(), "catalog.db", begin: { _ in }) { _ in }
            }
            await #expect(throws: LinajeError.self) {
                try await service.read(id, "lock", begin: { _ in }) { _ in }
            }
            end.finish()
            try await backup.value
            await #expect(throws: LinajeError.self) {
                try await service.read(id, "catalog.db", begin: { _ in }) { _ in }
            }
        }
    }
}
