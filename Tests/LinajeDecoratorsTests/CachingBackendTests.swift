import FilesystemStorage
import Foundation
import LinajeConformance
import LinajeDecorators
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("CachingBackend")
struct CachingBackendTests {
    private let folder: TemporaryDirectory
    /// Counts what reaches the store itself.
    private let store: UnsteadyBackend
    private let content: [UInt8]

    init() async throws {
        folder = try TemporaryDirectory()
        store = UnsteadyBackend(FilesystemStorage(root: folder.path + "/store"), every: 0)
        var generator = SeededGenerator(seed: 11)
        content = generator.bytes((5 << 20) + 1_234)
    }

    private var local: FilesystemStorage { FilesystemStorage(root: folder.path + "/cache") }

    private func cached(_ capacity: Int = 64 << 20) -> CachingBackend {
        CachingBackend(store, local: local, capacity: ByteCount(UInt64(capacity)))
    }

    private func put(_ key: String, in backend: any ArtifactBackend) async throws {
        let writer = try await backend.put(key)
        var start = 0
        while start < content.count {
            let end = min(content.count, start + 700_001)
            try await writer.write(Array(content[start..<end]))
            start = end
        }
        try await writer.commit()
    }

    private func read(_ key: String, in backend: any ArtifactBackend) async throws {
        // As yes or no: to show how arrays of this length differ takes minutes.
        let isWhole = try await backend.get(key, range: 0..<UInt64(content.count)) == content
        #expect(isWhole)
        let middle = try await backend.get(key, range: 1_048_570..<3_000_000)
        let isMiddle = middle == Array(content[1_048_570..<3_000_000])
        #expect(isMiddle)
    }

    @Test("what was written is read without the store")
    func written() async throws {
        let backend = cached()
        try await put("packs/a", in: backend)
        let calls = store.callCount
        try await read("packs/a", in: backend)
        #expect(store.callCount == calls)
    }

    @Test("what was read once is read without the store, after a restart too")
    func readAgain() async throws {
        try await put("packs/a", in: store)
        try await read("packs/a", in: cached())
        let calls = store.callCount
        let restarted = cached()
        try await read("packs/a", in: restarted)
        #expect(store.callCount == calls)
        #expect(await restarted.cachedBytes.bytes > UInt64(content.count))
    }

    @Test("the cache never holds more than it may, and the latest stay")
    func bounded() async throws {
        let capacity = 8 << 20
        let backend = cached(capacity)
        for key in ["packs/a", "packs/b", "packs/c"] {
            try await put(key, in: backend)
            let used = await backend.cachedBytes.bytes
            #expect(used <= UInt64(capacity))
        }
        let stored = try await local.list(prefix: "").reduce(0) { $0 + $1.size }
        #expect(stored <= UInt64(capacity))
        let calls = store.callCount
        try await read("packs/c", in: backend)
        #expect(store.callCount == calls)
        try await read("packs/a", in: backend)
        #expect(store.callCount > calls)
        // A smaller one takes no more than it may of what it finds.
        #expect(await cached(2 << 20).cachedBytes.bytes <= 2 << 20)
    }

    @Test("what the disk has changed, cut or mixed up is fetched again, never given")
    func damaged() async throws {
        try await put("packs/a", in: cached())
        let names = try await local.list(prefix: "packs/").map(\.key)
        #expect(names.count == 6)
        for (number, harm) in [0, 1, 2].enumerated() {
            let path = "\(folder.path)/cache/\(names[number])"
            var bytes = try #require(FileManager.default.contents(atPath: path))
            switch harm {
            case 0: bytes[bytes.count / 2] ^= 1
            case 1: bytes.removeLast(1_000)
            default:
                bytes = try #require(
                    FileManager.default.contents(atPath: "\(folder.path)/cache/\(names[3])"))
            }
            try bytes.write(to: URL(fileURLWithPath: path))
        }
        try await read("packs/a", in: cached())
    }

    @Test("what is no block in the cache's folder is removed from it, not counted")
    func strangers() async throws {
        try await put("packs/a", in: cached())
        for (key, size) in [("packs/a.9", 3 << 20), ("packs/a", 10), ("notes.x", 10)] {
            let writer = try await local.put(key)
            try await writer.write([UInt8](repeating: 1, count: size))
            try await writer.commit()
        }
        #expect(await cached().cachedBytes.bytes == UInt64(content.count + 6 * 32))
        #expect(try await local.list(prefix: "").count == 6)
    }

    @Test("an object that is removed, or written again, is not given from the cache")
    func removed() async throws {
        let backend = cached()
        try await put("packs/a", in: backend)
        try await backend.remove("packs/a")
        let error = await #expect(throws: LinajeError.self) {
            try await backend.get("packs/a", range: 0..<10)
        }
        #expect(error?.code == .notFound)
        let writer = try await backend.put("packs/a")
        try await writer.write([1, 2, 3])
        try await writer.commit()
        #expect(try await backend.get("packs/a", range: 0..<10) == [1, 2, 3])
    }
}
