import FilesystemStorage
import Foundation
import LinajeConformance
import LinajeDecorators
import LinajeDomain
import LinajePluginKit
import Testing

@testable import S3Storage

/// Against a real S3 server (moto) that checks every signature.
@Suite("S3Storage", .enabled(if: S3TestServer.isAvailable))
struct S3StorageTests {
    @Test(
        "S3Storage is an artifact backend",
        arguments: ArtifactBackendSuite.cases {
            let server = try S3TestServer.shared
            return try server.storage(try server.bucket())
        })
    func conformance(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test(
        "S3Storage with a cache, and calls made again, is one too",
        arguments: ArtifactBackendSuite.cases {
            let server = try S3TestServer.shared
            let folder = try TemporaryDirectory()
            return CachingBackend(
                MeteredBackend(RetryingBackend(try server.storage(try server.bucket()))),
                local: FolderKeeping(folder), capacity: ByteCount(8 << 20))
        })
    func decorated(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("two stores share a bucket by their prefixes and see nothing of each other")
    func prefixes() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let (one, two) = (
            try server.storage(bucket, prefix: "one/"), try server.storage(bucket, prefix: "two/")
        )
        try await write([1], to: "packs/a", in: one)
        try await write([2, 2], to: "packs/a", in: two)
        try server.put(bucket, "one/Not A Key", [3])
        #expect(try await one.list(prefix: "").map(\.size) == [1])
        #expect(try await two.list(prefix: "packs/").map(\.size) == [2])
        try await one.remove("packs/a")
        #expect(try await two.stat("packs/a") == 2)
    }

    @Test("a list goes on over pages until its end")
    func pages() async throws {
        let server = try S3TestServer.shared
        let storage = try server.storage(try server.bucket())
        let keys = (0..<11).map { "packs/\($0 < 10 ? "0" : "")\($0)" }
        for key in keys { try await write([1], to: key, in: storage) }
        #expect(try await storage.client.list(prefix: "packs/", pageKeys: 3).map(\.key) == keys)
    }

    @Test("a large object goes up in parts and comes back in ranges, at the same time")
    func parts() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        var generator = SeededGenerator(seed: 5)
        let content = generator.bytes((16 << 20) + 17)
        try await write(content, to: "large", in: storage)
        // As yes or no: to show how arrays of this length differ takes minutes.
        let isWhole = try await storage.get("large", range: 0..<UInt64.max) == content
        #expect(isWhole)
        let middle = try await storage.get("large", range: 3..<UInt64(15 << 20))
        let isMiddle = middle == Array(content[3..<15 << 20])
        #expect(isMiddle)
        let requests = try server.requests(bucket)
        #expect(requests.count { $0.method == "PUT" } == 4)
        #expect(requests.count { $0.method == "GET" } == 4 + 3)
        #expect(try server.sha256(bucket, "large") == SignatureV4.sha256(content).hex)
    }

    @Test("an upload that is aborted, forgotten or failed leaves nothing behind")
    func leftovers() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket) { $0.attempts = 1 }
        let content = [UInt8](repeating: 1, count: 12 << 20)
        let aborted = try await storage.put("aborted")
        try await aborted.write(content)
        await aborted.abort()
        try server.harm(bucket, "PUT", "/failed?", .status(400, code: "InvalidRequest"))
        await #expect(throws: LinajeError.self) {
            let failed = try await storage.put("failed")
            try await failed.write(content)
            try await failed.commit()
        }
        var forgotten: (any ArtifactWriter)? = try await storage.put("forgotten")
        try await forgotten?.write(content)
        forgotten = nil
        var left = try server.unfinishedUploads(bucket)
        for _ in 0..<200 where left > 0 {
            try await Task.sleep(for: .milliseconds(25))
            left = try server.unfinishedUploads(bucket)
        }
        #expect(left == 0)
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    @Test("a bucket may be part of the host")
    func virtualHost() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        var configuration = server.configuration(bucket)
        configuration.endpoint = "http://s3.amazonaws.com:\(server.proxyPort)"
        configuration.addressing = .virtualHost
        let storage = try S3Storage(
            configuration, environment: server.environment,
            hosts: ["\(bucket).s3.amazonaws.com": "127.0.0.1"],
            now: { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) })
        try await write([1, 2, 3], to: "packs/a", in: storage)
        #expect(try await storage.get("packs/a", range: 1..<3) == [2, 3])
        #expect(try await storage.list(prefix: "packs").map(\.key) == ["packs/a"])
        #expect(try server.sha256(bucket, "packs/a") == SignatureV4.sha256([1, 2, 3]).hex)
    }

    @Test("what is there and right is not written again; what is wrong is replaced")
    func replacing() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        var generator = SeededGenerator(seed: 6)
        for (key, content) in [
            ("small", generator.bytes(1_000)), ("large", generator.bytes(6 << 20)),
        ] {
            var damaged = content
            damaged[content.count / 2] ^= 1
            try server.put(bucket, key, damaged)
            try await write(content, to: key, in: storage)
            #expect(try server.sha256(bucket, key) == SignatureV4.sha256(content).hex)
            try await write(content, to: key, in: storage)
            #expect(try server.sha256(bucket, key) == SignatureV4.sha256(content).hex)
        }
        let puts = try server.requests(bucket).filter {
            $0.method == "PUT" && !$0.path.contains("?")
        }
        // Refused and replaced; then refused and left as it is.
        #expect(puts.map { $0.headers["if-none-match"] } == ["*", nil, "*"])
        #expect(try server.unfinishedUploads(bucket) == 0)
    }
}

/// A store in a folder that is there as long as the store is.
private struct FolderKeeping: ArtifactBackend {
    private let folder: TemporaryDirectory
    private let storage: FilesystemStorage

    init(_ folder: TemporaryDirectory) {
        self.folder = folder
        storage = FilesystemStorage(root: folder.path)
    }

    var descriptor: PluginDescriptor { storage.descriptor }
    var properties: ArtifactBackendProperties { storage.properties }

    func put(_ key: String) async throws -> any ArtifactWriter { try await storage.put(key) }
    func stat(_ key: String) async throws -> UInt64? { try await storage.stat(key) }
    func remove(_ key: String) async throws { try await storage.remove(key) }

    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try await storage.get(key, range: range)
    }

    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await storage.list(prefix: prefix)
    }
}

/// Writes an object.
func write(_ content: [UInt8], to key: String, in store: any ArtifactBackend) async throws {
    let writer = try await store.put(key)
    try await writer.write(content)
    try await writer.commit()
}
