import LinajeDomain
import LinajePluginKit
import Synchronization

/// A backend whose objects are in memory, for simulations.
final class MemoryBackend: ArtifactBackend {
    let descriptor = PluginDescriptor(name: "memory", kind: .artifactBackend, version: "1")
    let properties = ArtifactBackendProperties(parallelRequests: 4, isRemote: false)
    private let objects = Mutex<[String: [UInt8]]>([:])

    func put(_ key: String) async throws -> any ArtifactWriter { Writer(self, key) }

    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try objects.withLock { objects in
            guard let bytes = objects[key] else {
                throw LinajeError(.notFound, "object \(key) is not there")
            }
            let end = min(Int(clamping: range.upperBound), bytes.count)
            return Array(bytes[min(Int(clamping: range.lowerBound), end)..<end])
        }
    }

    func stat(_ key: String) async throws -> UInt64? {
        objects.withLock { $0[key].map { UInt64($0.count) } }
    }

    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        objects.withLock { objects in
            objects.filter { $0.key.hasPrefix(prefix) }
                .map { (key: $0.key, size: UInt64($0.value.count)) }
                .sorted { $0.key < $1.key }
        }
    }

    func remove(_ key: String) async throws { objects.withLock { $0[key] = nil } }

    private final class Writer: ArtifactWriter {
        private let backend: MemoryBackend
        private let key: String
        private let bytes = Mutex<[UInt8]>([])

        init(_ backend: MemoryBackend, _ key: String) {
            self.backend = backend
            self.key = key
        }

        func write(_ bytes: [UInt8]) async throws { self.bytes.withLock { $0 += bytes } }

        func commit() async throws {
            let content = bytes.withLock { $0 }
            backend.objects.withLock { $0[key] = content }
        }

        func abort() async {}
    }
}
