import FilesystemStorage
import LinajeConformance
import LinajeDecorators
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("a decorated backend is a backend")
struct DecoratorConformanceTests {
    static let policy = RetryPolicy(
        attempts: 10, firstPause: .microseconds(10), longestPause: .microseconds(100))

    @Test(
        "repeating calls of a backend of which every fourth fails",
        arguments: ArtifactBackendSuite.cases {
            RetryingBackend(
                UnsteadyBackend(try Scratch.storage(), every: 3, everyWrite: 35),
                policy: DecoratorConformanceTests.policy)
        })
    func retrying(conformance: ConformanceCase) async throws { try await Scratch.run(conformance) }

    @Test(
        "with a cache",
        arguments: ArtifactBackendSuite.cases {
            CachingBackend(
                try Scratch.storage(), local: try Scratch.storage(), capacity: ByteCount(64 << 20))
        })
    func caching(conformance: ConformanceCase) async throws { try await Scratch.run(conformance) }

    @Test(
        "with a cache that is too small for anything",
        arguments: ArtifactBackendSuite.cases {
            CachingBackend(
                try Scratch.storage(), local: try Scratch.storage(), capacity: ByteCount(1 << 21))
        })
    func smallCache(conformance: ConformanceCase) async throws {
        try await Scratch.run(conformance)
    }

    @Test(
        "with a cache on a disk of which every third call fails",
        arguments: ArtifactBackendSuite.cases {
            CachingBackend(
                try Scratch.storage(),
                local: UnsteadyBackend(
                    try Scratch.storage(), every: 3,
                    error: LinajeError(.storageFailed, "made by the test")),
                capacity: ByteCount(64 << 20))
        })
    func illCache(conformance: ConformanceCase) async throws {
        try await Scratch.run(conformance)
    }

    @Test(
        "with a bound on its speed",
        arguments: ArtifactBackendSuite.cases {
            ThrottledBackend(
                try Scratch.storage(), readRate: ByteCount(1 << 30), writeRate: ByteCount(1 << 30))
        })
    func throttled(conformance: ConformanceCase) async throws {
        try await Scratch.run(conformance)
    }

    @Test(
        "with all of it, one around the other",
        arguments: ArtifactBackendSuite.cases {
            let unsteady = UnsteadyBackend(try Scratch.storage(), every: 7, everyWrite: 33)
            return MeteredBackend(
                CachingBackend(
                    ThrottledBackend(
                        RetryingBackend(
                            MeteredBackend(unsteady), policy: DecoratorConformanceTests.policy),
                        readRate: ByteCount(1 << 30), writeRate: ByteCount(1 << 30)),
                    local: try Scratch.storage(), capacity: ByteCount(16 << 20)))
        })
    func stacked(conformance: ConformanceCase) async throws { try await Scratch.run(conformance) }
}

/// The directory of the case that runs; removed after it.
private enum Scratch {
    @TaskLocal static var directory: TemporaryDirectory?

    /// A new store in it.
    static func storage() throws -> FilesystemStorage {
        FilesystemStorage(root: "\(try #require(directory).path)/\(RunID.random())")
    }

    /// Runs a case with a directory of its own.
    static func run(_ conformance: ConformanceCase) async throws {
        try await $directory.withValue(try TemporaryDirectory()) { try await conformance.body() }
    }
}
