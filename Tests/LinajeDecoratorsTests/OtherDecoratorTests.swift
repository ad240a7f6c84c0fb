import FilesystemStorage
import LinajeDecorators
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("decorators that retry and throttle")
struct OtherDecoratorTests {
    private let folder: TemporaryDirectory
    private let store: FilesystemStorage

    init() throws {
        folder = try TemporaryDirectory()
        store = FilesystemStorage(root: folder.path)
    }

    private func write(_ bytes: [UInt8], in backend: any ArtifactBackend) async throws {
        let writer = try await backend.put("packs/a")
        try await writer.write(bytes)
        try await writer.commit()
    }

    @Test(
        "what does not pass is not tried again",
        arguments: [LinajeError.Code.storageFull, .corrupt, .readOnly, .cancelled, .storageFailed])
    func lasting(code: LinajeError.Code) async throws {
        let unsteady = UnsteadyBackend(store, every: 1, error: LinajeError(code, "of the test"))
        let backend = RetryingBackend(unsteady, policy: RetryPolicy(firstPause: .zero))
        let error = await #expect(throws: LinajeError.self) { try await backend.stat("packs/a") }
        #expect(error?.code == code)
        #expect(unsteady.callCount == 1)
    }

    @Test("what never passes is given up after as many attempts as were asked for")
    func givenUp() async throws {
        let unsteady = UnsteadyBackend(store, every: 1)
        let backend = RetryingBackend(
            unsteady, policy: RetryPolicy(attempts: 3, firstPause: .microseconds(1)))
        await #expect(throws: LinajeError.self) { try await backend.stat("packs/a") }
        #expect(unsteady.callCount == 3)
    }

    @Test("an object larger than what may be kept is not begun again")
    func tooLarge() async throws {
        let unsteady = UnsteadyBackend(store, every: 0, everyWrite: 2)
        let policy = RetryPolicy(firstPause: .microseconds(1), replayBytes: 10)
        let writer = try await RetryingBackend(unsteady, policy: policy).put("packs/a")
        try await writer.write([UInt8](repeating: 1, count: 11))
        await #expect(throws: LinajeError.self) {
            try await writer.write([UInt8](repeating: 2, count: 11))
        }
        await writer.abort()
        #expect(try await store.stat("packs/a") == nil)
    }

    @Test("bytes pass no faster than they may, whoever sends them")
    func throttled() async throws {
        let backend = ThrottledBackend(store, writeRate: ByteCount(1_000_000))
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<4 {
                group.addTask {
                    let writer = try await backend.put("packs/\(index)")
                    try await writer.write([UInt8](repeating: 0, count: 50_000))
                    try await writer.commit()
                }
            }
            try await group.waitForAll()
        }
        // The fourth begins when the three before it have had their 50 ms each.
        #expect(began.duration(to: .now) >= .milliseconds(150))
    }

    @Test("a reader pays for what has come before it comes again")
    func throttledReads() async throws {
        try await write([UInt8](repeating: 0, count: 100_000), in: store)
        let backend = ThrottledBackend(store, readRate: ByteCount(1_000_000))
        let began = ContinuousClock.now
        _ = try await backend.get("packs/a", range: 0..<100_000)
        _ = try await backend.get("packs/a", range: 0..<1)
        #expect(began.duration(to: .now) >= .milliseconds(100))
    }
}
