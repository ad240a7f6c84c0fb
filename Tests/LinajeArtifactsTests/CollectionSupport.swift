import LinajeDomain
import LinajePluginKit
import Synchronization
import Testing

@testable import LinajeArtifacts

/// What a catalog would need of the store, in memory.
final class References: TreeRoots {
    private let needed = Mutex<[SHA256Digest: Bool]>([:])
    private let removals = Mutex<[SHA256Digest: Int]>([:])
    /// Called inside the transaction that condemns, before it is decided.
    private let whileCondemning: @Sendable (SHA256Digest) -> Void

    init(whileCondemning: @escaping @Sendable (SHA256Digest) -> Void = { _ in }) {
        self.whileCondemning = whileCondemning
    }

    func add(_ digest: SHA256Digest, isOurs: Bool = true) {
        needed.withLock { $0[digest] = isOurs }
    }

    func remove(_ digest: SHA256Digest) {
        needed.withLock { $0[digest] = nil }
        removals.withLock { $0[digest, default: 0] += 1 }
    }

    /// How often it was removed before; `nil`: it is not needed now.
    func era(of digest: SHA256Digest) -> Int? {
        guard needed.withLock({ $0[digest] != nil }) else { return nil }
        return removals.withLock { $0[digest] ?? 0 }
    }

    var all: [SHA256Digest] { needed.withLock { $0.keys.sorted() } }

    func roots(after last: SHA256Digest?, limit: Int) async throws -> [TreeRoot] {
        needed.withLock { needed in
            Array(
                needed.filter { digest, _ in last.map { digest > $0 } ?? true }
                    .sorted { $0.key < $1.key }.prefix(limit)
                    .map { TreeRoot(digest: $0.key, isOurs: $0.value) })
        }
    }

    func isNeeded(_ digest: SHA256Digest, _ connection: any SQLConnection) throws -> Bool {
        whileCondemning(digest)
        return needed.withLock { $0[digest] != nil }
    }
}

extension StoreFixture {
    /// Collects once.
    @discardableResult
    func collect(
        _ references: References, grace: Duration = .seconds(3_600), dryRun: Bool = false,
        acceptingLosses: Bool = false
    ) async throws -> CollectionSum {
        try await GarbageCollector(store: store, roots: references).collect(
            CollectionOptions(
                isDryRun: dryRun, grace: grace, acceptsLosses: acceptingLosses)
        ) { _ in }
    }

    /// Checks once, and gives what was found.
    func check(
        _ references: References, _ options: CheckOptions = CheckOptions(readsData: true)
    ) async throws -> (sum: CheckSum, findings: [CheckFinding]) {
        let found = Mutex<[CheckFinding]>([])
        let sum = try await ArtifactCheck(store: store, roots: references).run(options) { news in
            if case .finding(let finding) = news { found.withLock { $0.append(finding) } }
        }
        return (sum, found.withLock { $0 })
    }

    /// Whether all files of a tree are read as they were put, by a store that remembers nothing.
    func reads(_ tree: SHA256Digest, _ files: [(path: String, bytes: [UInt8])]) async throws -> Bool
    {
        let store = try await reopened().store
        let found = try await store.tree(tree)
        guard found.entries.count == files.count else { return false }
        for (path, bytes) in files {
            guard let entry = found.entry(at: try TreePath(path)),
                try await store.read(entry.sha256, range: nil).collect() == bytes
            else { return false }
        }
        return true
    }
}
