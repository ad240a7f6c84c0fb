import FilesystemStorage
import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

/// A folder of a test's own, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init(below root: String? = nil) throws {
        path =
            (root.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory)
            .appendingPathComponent("linaje-artifacts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A clock that a test moves.
final class ManualClock: WallClock {
    private let time = Mutex(Timestamp(microseconds: 1_700_000_000_000_000))

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(by duration: Duration) {
        time.withLock { $0.microseconds += duration.components.seconds * 1_000_000 }
    }
}

/// The generator that the golden vectors use too.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Little-endian outputs, cut to `count` bytes.
    static func bytes(seed: UInt64, count: Int) -> [UInt8] {
        var generator = SplitMix64(seed: seed)
        var out = [UInt8](repeating: 0, count: (count + 7) / 8 * 8)
        out.withUnsafeMutableBytes { buffer in
            for offset in stride(from: 0, to: buffer.count, by: 8) {
                buffer.storeBytes(
                    of: generator.next().littleEndian, toByteOffset: offset, as: UInt64.self)
            }
        }
        return Array(out.prefix(count))
    }
}

/// A store on real files: `FilesystemStorage` and `SQLiteBackend` in a temporary folder.
struct StoreFixture: Sendable {
    let folder: TemporaryFolder
    let sql: any SQLBackend
    let backend: any ArtifactBackend
    let clock: ManualClock
    let store: ArtifactStore

    init(
        wrapping wrap: (any ArtifactBackend) -> any ArtifactBackend = { $0 },
        observer: WaypointObserver? = nil
    ) async throws {
        let folder = try TemporaryFolder()
        try await self.init(
            folder: folder, sql: SQLiteBackend(path: "\(folder.path)/catalog.db"),
            backend: wrap(FilesystemStorage(root: "\(folder.path)/state")), clock: ManualClock(),
            observer: observer)
    }

    private init(
        folder: TemporaryFolder, sql: any SQLBackend, backend: any ArtifactBackend,
        clock: ManualClock, observer: WaypointObserver? = nil
    ) async throws {
        self.folder = folder
        self.sql = sql
        self.backend = backend
        self.clock = clock
        self.store = ArtifactStore(
            backend: backend, index: sql, clock: clock, observer: observer)
        try await store.prepare()
    }

    /// A store on the same files that remembers nothing.
    func reopened() async throws -> StoreFixture {
        try await StoreFixture(folder: folder, sql: sql, backend: backend, clock: clock)
    }

    /// Where the packs are, by key.
    func packs() async throws -> [String] {
        try await backend.list(prefix: "packs/").map(\.key)
    }

    func path(_ key: String) -> String { "\(folder.path)/state/\(key)" }

    /// Puts one file in an open session.
    @discardableResult
    func put(
        _ ingest: IngestID, _ path: String, _ bytes: [UInt8], mode: FileMode = .file,
        piece: Int = 1 << 18
    ) async throws -> IngestedFile {
        let file = try await store.openFile(
            ingest, path: TreePath(path), mode: mode, size: nil, sha256: nil)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try await file.append(Array(bytes[start..<min(start + piece, bytes.count)]))
        }
        return try await file.finish()
    }

    /// Ingests files as one tree and ends the session.
    func ingest(_ files: [(path: String, bytes: [UInt8])]) async throws -> StoredTree {
        let id = IngestID.random()
        try await store.beginIngest(id)
        for file in files { try await put(id, file.path, file.bytes) }
        let tree = try await store.prepareTree(id)
        await store.endIngest(id)
        return tree
    }
}

/// A backend that fails where a test says.
final class FaultyBackend: ArtifactBackend {
    enum Step: Sendable, Hashable, CaseIterable { case put, write, commit, get }

    private let base: any ArtifactBackend
    /// What the next calls of a step do: `nil` lets one pass.
    private let faults = Mutex<[Step: [LinajeError?]]>([:])
    /// Commits wait for this to open.
    let gate = Gate()

    init(_ base: any ArtifactBackend) { self.base = base }

    var descriptor: PluginDescriptor { base.descriptor }
    var properties: ArtifactBackendProperties { base.properties }

    func fail(_ step: Step, with errors: LinajeError?...) {
        faults.withLock { $0[step] = errors }
    }

    func check(_ step: Step) throws {
        let error = faults.withLock { faults -> LinajeError? in
            guard let errors = faults[step], !errors.isEmpty else { return nil }
            return faults[step]?.removeFirst() ?? nil
        }
        if let error { throw error }
    }

    func put(_ key: String) async throws -> any ArtifactWriter {
        try check(.put)
        return FaultyWriter(base: try await base.put(key), backend: self)
    }

    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try check(.get)
        return try await base.get(key, range: range)
    }

    func stat(_ key: String) async throws -> UInt64? { try await base.stat(key) }

    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await base.list(prefix: prefix)
    }

    func remove(_ key: String) async throws { try await base.remove(key) }
}

private struct FaultyWriter: ArtifactWriter {
    let base: any ArtifactWriter
    let backend: FaultyBackend

    func write(_ bytes: [UInt8]) async throws {
        try backend.check(.write)
        try await base.write(bytes)
    }

    func commit() async throws {
        await backend.gate.pass()
        try backend.check(.commit)
        try await base.commit()
    }

    func abort() async { await base.abort() }
}

/// Holds callers back while it is closed.
final class Gate: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var isOpen = true
        var waiters: [CheckedContinuation<Void, Never>] = []
        var observers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func close() { state.withLock { $0.isOpen = false } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let (isOpen, observers) = state.withLock { state -> (Bool, [Waiter]) in
                guard !state.isOpen else { return (true, []) }
                state.waiters.append(continuation)
                defer { state.observers = [] }
                return (false, state.observers)
            }
            if isOpen { continuation.resume() }
            for observer in observers { observer.resume() }
        }
    }

    /// Returns when somebody is held back.
    func someoneWaits() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.waiters.isEmpty { state.observers.append(continuation) }
                return !state.waiters.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }
}

/// A golden vector file of `proto-spec/vectors`.
func vectors(_ name: String) throws -> [String: Any] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("proto-spec/vectors/\(name).json")
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    return try #require(object as? [String: Any])
}

func hex(_ object: [String: Any], _ key: String) throws -> [UInt8] {
    let text = try #require(object[key] as? String)
    return try #require(Hex.decode(text))
}

/// The code of the error that `body` throws; `nil` when it throws none or another kind.
func code(_ body: () async throws -> Void) async -> LinajeError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? LinajeError)?.code
    }
}
