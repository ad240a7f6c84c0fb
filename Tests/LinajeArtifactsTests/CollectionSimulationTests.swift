import Foundation
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

@testable import LinajeArtifacts

@Suite("Collector and writers in any order", .timeLimit(.minutes(240)))
struct CollectionSimulationTests {
    /// `LINAJE_COLLECTION_SEEDS=100000 LINAJE_COLLECTION_FIRST=0` is the long campaign.
    static func number(_ name: String, else standard: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? standard
    }

    @Test("whatever the order, and whenever the daemon dies, what is referred to is whole")
    func seeds() async throws {
        let first = Self.number("LINAJE_COLLECTION_FIRST", else: 0)
        let count = Self.number("LINAJE_COLLECTION_SEEDS", else: 1_000)
        let facts = Simulation.Tally()
        async let odd: Void = Self.run(first, count, 1, facts)
        try await Self.run(first, count, 0, facts)
        try await odd
        let sum = facts.sum.withLock { $0 }
        Campaign.report("interleavings: \(count) seeds from \(first): \(sum)")
        // The simulation must come to what it is about.
        #expect(sum.deaths > count / 5 && sum.rescued > count / 20, "\(sum)")
        #expect(sum.removed > count / 5 && sum.commits > count, "\(sum)")
    }

    private static func run(
        _ first: UInt64, _ count: UInt64, _ part: UInt64, _ facts: Simulation.Tally
    ) async throws {
        // One database for all: making one takes longer than a simulation.
        let isQuick = FileManager.default.isWritableFile(atPath: "/dev/shm")
        let folder = try TemporaryFolder(below: isQuick ? "/dev/shm" : nil)
        let sql = try SQLiteBackend(path: "\(folder.path)/catalog.db", readers: 1)
        try await ChunkIndex(sql: sql).prepare()
        for seed in first..<first + count where seed % 2 == part {
            try await ChunkIndex(sql: sql).clear()
            Campaign.progress(Int(seed - first), of: Int(count), "interleavings")
            let found = try await Simulation(seed: seed, sql: sql).run()
            facts.sum.withLock { $0.add(found) }
        }
        try await sql.close()
    }
}

/// One store, a few writers, somebody who deletes, a reader and a collector.
final class Simulation: Sendable {
    struct Facts: Sendable {
        var deaths: UInt64 = 0
        var rescued: UInt64 = 0
        var removed: UInt64 = 0
        var commits: UInt64 = 0

        mutating func add(_ other: Facts) {
            deaths += other.deaths
            rescued += other.rescued
            removed += other.removed
            commits += other.commits
        }
    }

    final class Tally: Sendable {
        let sum = Mutex(Facts())
    }

    private struct Known {
        var facts = Facts()
        /// Every tree that was stored once, with its files.
        var trees: [SHA256Digest: [(path: String, bytes: [UInt8])]] = [:]
    }

    private let seed: UInt64
    private let sql: any SQLBackend
    private let backend = MemoryBackend()
    private let clock = ManualClock()
    private let references = References()
    private let known = Mutex(Known())

    init(seed: UInt64, sql: any SQLBackend) {
        self.seed = seed
        self.sql = sql
    }

    func run() async throws -> Facts {
        var generator = SplitMix64(seed: seed)
        // Two lives of a daemon: the first may end at any moment.
        let dies = generator.next() % 2 == 0
        try await live(generator.next(), life: dies ? Int(generator.next() % 80) : nil)
        try await check("after the first life")
        try await live(generator.next(), life: nil)
        try await check("after the second life")
        try await checkLeftovers()
        return known.withLock { $0.facts }
    }

    // MARK: A life

    private func live(_ seed: UInt64, life: Int?) async throws {
        let order = Interleaving(seed: seed, tasks: 6, life: life)
        let store = ArtifactStore(
            backend: backend, index: sql, clock: clock, observer: order.observer)
        await withTaskGroup(of: Void.self) { group in
            typealias Body = @Sendable (inout SplitMix64) async throws -> Void
            func add(_ task: Int, _ body: @escaping Body) {
                group.addTask { [self] in
                    var generator = SplitMix64(seed: seed &+ UInt64(task) &* 7_919)
                    do {
                        try await order.run(task) { try await body(&generator) }
                    } catch is Interleaving.Died {
                    } catch {
                        guard !order.isDead else { return }
                        Issue.record("seed \(self.seed), task \(task): \(error)")
                    }
                }
            }
            for task in 0..<2 { add(task) { try await self.write(store, order, &$0) } }
            add(2) { try await self.refer(store, order, &$0) }
            add(3) { try await self.delete(order, &$0) }
            add(4) { try await self.collect(store, order, &$0) }
            add(5) { try await self.read(store, order, &$0) }
        }
        if order.isDead { known.withLock { $0.facts.deaths += 1 } }
    }

    /// A few contents that all writers share.
    private func content(_ generator: inout SplitMix64) -> (path: String, bytes: [UInt8]) {
        let number = generator.next() % 6
        return ("f\(number)", SplitMix64.bytes(seed: number, count: 40 + Int(number) * 300))
    }

    private func write(
        _ store: ArtifactStore, _ order: Interleaving, _ generator: inout SplitMix64
    ) async throws {
        for _ in 0..<2 {
            let id = IngestID.random()
            try await store.beginIngest(id)
            var files: [String: [UInt8]] = [:]
            for _ in 0..<1 + generator.next() % 3 {
                let (path, bytes) = content(&generator)
                let file = try await store.openFile(
                    id, path: TreePath(path), mode: .file, size: nil, sha256: nil)
                try await file.append(bytes)
                _ = try await file.finish()
                files[path] = bytes
            }
            let tree = try await store.prepareTree(id)
            known.withLock { known in
                known.trees[tree.digest] = files.map { (path: $0.key, bytes: $0.value) }
            }
            try await order.step()
            if generator.next() % 4 != 0 {
                references.add(tree.digest)
                known.withLock { $0.facts.commits += 1 }
            }
            await store.endIngest(id)
            try await order.step()
        }
    }

    /// Registers trees that were stored once, whether or not they are still there.
    private func refer(
        _ store: ArtifactStore, _ order: Interleaving, _ generator: inout SplitMix64
    ) async throws {
        for _ in 0..<2 {
            try await order.step()
            let trees = known.withLock { $0.trees.keys.sorted() }
            guard !trees.isEmpty else { continue }
            let tree = trees[Int(generator.next() % UInt64(trees.count))]
            do {
                try await store.keepingUsed {
                    try await store.requireComplete(tree)
                    try await order.step()
                    references.add(tree)
                    known.withLock { $0.facts.commits += 1 }
                }
            } catch let error as LinajeError where [.notFound, .incomplete].contains(error.code) {
                // It was collected before.
            }
        }
    }

    private func delete(_ order: Interleaving, _ generator: inout SplitMix64) async throws {
        for _ in 0..<4 {
            try await order.step()
            let trees = references.all
            guard !trees.isEmpty else { continue }
            references.remove(trees[Int(generator.next() % UInt64(trees.count))])
        }
    }

    private func collect(
        _ store: ArtifactStore, _ order: Interleaving, _ generator: inout SplitMix64
    ) async throws {
        for _ in 0..<3 {
            try await order.step()
            clock.advance(by: .seconds(Int64(generator.next() % 3) * 1_800))
            let grace = Duration.seconds(generator.next() % 3 == 0 ? 3_600 : 0)
            let sum = try await GarbageCollector(store: store, roots: references).collect(
                CollectionOptions(grace: grace)
            ) { _ in }
            known.withLock { known in
                known.facts.rescued += sum.rescued
                known.facts.removed += sum.removedPacks
            }
        }
    }

    /// Reads trees that are referred to from before until after.
    private func read(
        _ store: ArtifactStore, _ order: Interleaving, _ generator: inout SplitMix64
    ) async throws {
        for _ in 0..<2 {
            try await order.step()
            let trees = references.all
            guard !trees.isEmpty else { continue }
            let tree = trees[Int(generator.next() % UInt64(trees.count))]
            let era = references.era(of: tree)
            do {
                for entry in try await store.tree(tree).entries {
                    try await order.step()
                    var bytes: [UInt8] = []
                    let read = try await store.read(entry.sha256, range: nil)
                    try await order.step()
                    for try await piece in read { bytes += piece }
                    #expect(ContentHasher.digest(bytes) == entry.sha256)
                }
            } catch let error as LinajeError where [.notFound, .incomplete].contains(error.code) {
                // Only if it was not needed at some moment.
                let isNeeded = era != nil && references.era(of: tree) == era
                #expect(!isNeeded, "seed \(seed): \(error)")
            }
        }
    }

    // MARK: What must be so

    private func check(_ moment: String) async throws {
        let store = ArtifactStore(backend: backend, index: sql, clock: clock)
        for tree in references.all {
            let files = known.withLock { $0.trees[tree] ?? [] }
            do {
                let entries = try await store.tree(tree).entries
                #expect(entries.count == files.count && !files.isEmpty)
                for entry in entries {
                    let bytes = try await store.read(entry.sha256, range: nil).collect()
                    let wanted = files.first { $0.path == entry.path.text }?.bytes
                    #expect(bytes == wanted, "seed \(seed) \(moment): \(entry.path)")
                }
            } catch {
                Issue.record("seed \(seed) \(moment): \(error)")
            }
        }
    }

    /// What nothing needs is gone after two more collections, and the store is in order.
    private func checkLeftovers() async throws {
        let store = ArtifactStore(backend: backend, index: sql, clock: clock)
        for _ in 0..<2 {
            _ = try await GarbageCollector(store: store, roots: references).collect(
                CollectionOptions(grace: .zero)
            ) { _ in }
        }
        var needed: Set<BlobKey> = []
        for tree in references.all {
            needed.insert(BlobKey(.tree, tree))
            for entry in try await store.tree(tree).entries {
                needed.insert(BlobKey(.recipe, entry.sha256))
                let recipe = try #require(try await store.recipe(entry.sha256))
                for chunk in recipe.chunks { needed.insert(BlobKey(.chunk, chunk.digest)) }
            }
        }
        var live: Set<BlobKey> = []
        for kind in BlobKind.indexed {
            for blob in try await store.index.blobs(of: kind, after: nil)
            where blob.condemnedAt == nil { live.insert(blob.key) }
        }
        // A filter may claim one that is not needed, seldom.
        #expect(needed.isSubset(of: live), "seed \(seed)")
        #expect(live.subtracting(needed).count <= 1, "seed \(seed)")
        let findings = Mutex<[CheckFinding]>([])
        _ = try await ArtifactCheck(store: store, roots: references).run(
            CheckOptions(readsData: true)
        ) { news in
            if case .finding(let finding) = news { findings.withLock { $0.append(finding) } }
        }
        let wrong = findings.withLock { $0 }.filter { $0.finding != "the index does not know it" }
        #expect(wrong.isEmpty, "seed \(seed): \(wrong)")
    }
}
