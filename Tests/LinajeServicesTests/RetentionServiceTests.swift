import Foundation
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import Logging
import SQLiteBackend
import Synchronization
import Testing

@testable import LinajeServices

@Suite("Retention policies, planned and applied")
struct RetentionServiceTests {
    @Test(
        "checkpoints are ranked by the metric as it was at their step, and only what was shown goes"
    )
    func values() async throws {
        try await Shop.with { shop in
            let run = try await shop.run(checkpoints: [10, 20, 30, 40])
            // The best value is at step 20; what comes between checkpoints says nothing of the next.
            try await shop.write(run, [(5, 9), (10, 0.5), (15, 9), (20, 0.25), (25, 0.5), (41, 0)])
            let subject = RetentionSubject.experiment(0)
            try await shop.set(subject, RetentionRules(best: 1, metric: "loss"))
            let (lines, sum) = try await shop.plan(subject)
            #expect(lines.map(\.step) == [40, 30, 20, 10])
            #expect(lines.map(\.value) == [0.5, 0.5, 0.25, 0.5])
            #expect(lines.map(\.isKept) == [false, false, true, false])
            #expect(sum.freed == 3 && sum.freedBytes == 30 && sum.kept == 1 && !sum.isApplied)

            // Another value, of which two checkpoints are after, is another plan: nothing is done.
            try await shop.write(run, [(29, 0.1)])
            do {
                _ = try await shop.apply(subject, sum.plan)
                Issue.record("a plan that has changed was applied")
            } catch let error as LinajeError {
                #expect(error.code == .conflict)
            }
            #expect(try await shop.mounts(run) == 4)
            let (_, next) = try await shop.plan(subject)
            let (gone, done) = try await shop.apply(subject, next.plan)
            #expect(gone.map(\.step) == [30, 20, 10] && done.isApplied && done.freedBytes == 30)
            #expect(try await shop.mounts(run) == 1)
            let (left, rest) = try await shop.plan(subject)
            #expect(left.map(\.step) == [40] && left[0].isKept && rest.freed == 0)
        }
    }

    @Test("by a metric that no checkpoint has nothing goes, and the plan says which there are")
    func unknownMetric() async throws {
        try await Shop.with { shop in
            let run = try await shop.run(checkpoints: [10, 20])
            try await shop.write(run, [(10, 0.5), (20, 0.25)])
            let subject = RetentionSubject.experiment(0)
            for (metric, hint) in [("los", "did you mean loss?"), ("auc", "their runs have loss")] {
                let (lines, sum) = try await shop.plan(
                    subject, RetentionRules(best: 1, metric: metric))
                #expect(sum.freed == 0 && sum.kept == 2)
                let why = "no item has a value of metric \"\(metric)\": nothing is let go of"
                #expect(lines.map(\.reasons) == [[why, hint], [why, hint]])
            }
            try await shop.set(subject, RetentionRules(best: 1, metric: "los"), automatic: true)
            let done = try #require(try await shop.retention.applyAutomatic())
            #expect(done.items == 0 && done.failed == 0)
            #expect(try await shop.mounts(run) == 2)
        }
    }

    @Test("a plan of other rules is shown, and changes nothing")
    func otherRules() async throws {
        try await Shop.with { shop in
            _ = try await shop.run(checkpoints: [1, 2, 3])
            let subject = RetentionSubject.experiment(0)
            do {
                _ = try await shop.plan(subject)
                Issue.record("there is no policy")
            } catch let error as LinajeError {
                #expect(error.code == .notFound)
            }
            let (lines, _) = try await shop.plan(subject, RetentionRules(everyStep: 2))
            #expect(lines.map(\.isKept) == [false, true, false])
            #expect(try await shop.retention.policies(of: nil).isEmpty)
        }
    }

    @Test("content that something else needs is not counted as freed, and is named")
    func sharedContent() async throws {
        try await Shop.with { shop in
            let run = try await shop.run(checkpoints: [1, 2])
            let tree = Shop.tree(run, 1)
            try await shop.change { try $0.lease(tree, until: Timestamp(microseconds: .max)) }
            let subject = RetentionSubject.experiment(0)
            let (lines, sum) = try await shop.plan(subject, RetentionRules(maxBytes: 1))
            #expect(lines.map(\.freed) == [10, 0] && sum.freed == 2 && sum.freedBytes == 10)
            #expect(lines[1].reasons.last?.hasPrefix("content stays: lease until") == true)
        }
    }

    @Test("the daemon applies what is automatic and nothing else; again, it changes nothing")
    func automatic() async throws {
        try await Shop.with { shop in
            #expect(try await shop.retention.applyAutomatic() == nil)
            let run = try await shop.run(checkpoints: [1, 2, 3])
            let other = try await shop.change {
                try $0.createExperiment(name: "asked for").id
            }
            let asked = try await shop.run(in: other, checkpoints: [1, 2])
            try await shop.set(.experiment(0), RetentionRules(last: 1), automatic: true)
            try await shop.set(.experiment(other), RetentionRules(last: 1))
            let done = try #require(try await shop.retention.applyAutomatic())
            #expect(done.items == 2 && done.bytes == 20 && done.failed == 0)
            #expect(try await shop.mounts(run) == 1)
            #expect(try await shop.mounts(asked) == 2)
            let again = try #require(try await shop.retention.applyAutomatic())
            #expect(again.items == 0)
            let last = try await shop.retention.policies(of: .experiment(0))[0].lastApplication
            #expect(last?.items == 2 && last?.isAutomatic == true)
        }
    }

    @Test("more items than one transaction takes go all, once")
    func manyItems() async throws {
        try await Shop.with { shop in
            let count = Int64(RetentionService.batchItems * 2 + 10)
            let run = try await shop.run(checkpoints: Array(1...count))
            try await shop.set(.experiment(0), RetentionRules(last: 3))
            let (lines, sum) = try await shop.plan(.experiment(0))
            #expect(Int64(lines.count) == count && Int64(sum.freed) == count - 3)
            let (gone, done) = try await shop.apply(.experiment(0), sum.plan)
            #expect(Int64(gone.count) == count - 3 && done.freed == sum.freed)
            #expect(try await shop.mounts(run) == 3)
            let ledger = try await shop.catalog.read { try $0.verifyLedger() }
            // One for each, one for the policy, one for the application.
            #expect(ledger.firstBad == 0 && ledger.events == UInt64(count - 3 + 2))
        }
    }
}

/// A catalog and a metric engine on real files, with the policies over them.
private struct Shop: Sendable {
    final class Clock: WallClock {
        private let time = Mutex(Timestamp(microseconds: 1_700_000_000_000_000))

        /// Later each time.
        func now() -> Timestamp {
            time.withLock {
                $0.microseconds += 1
                return $0
            }
        }
    }

    static let principal = Principal(name: "uid:1000", role: .admin)

    let catalog: CatalogStore
    let metrics: MetricStore
    let index: MetricIndexService
    let retention: RetentionService

    static func with(_ body: @Sendable (Shop) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("linaje-retention-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let backends = [
            try SQLiteBackend(path: folder.appendingPathComponent("catalog.db").path),
            try SQLiteBackend(path: folder.appendingPathComponent("metrics.db").path),
        ]
        let clock = Clock()
        let catalog = CatalogStore(backend: backends[0], clock: clock)
        let metrics = MetricStore(backend: backends[1], clock: clock, logger: logger)
        try await catalog.prepare()
        try await metrics.prepare()
        let index = MetricIndexService(catalog: catalog, metrics: metrics, logger: logger)
        let owners = OwnerWatch(catalog: catalog, clock: clock, logger: logger) { _ in }
        let service = MetricService(
            catalog: catalog, store: metrics, owners: owners, uses: RunUses())
        let shop = Shop(
            catalog: catalog, metrics: metrics, index: index,
            retention: RetentionService(
                catalog: catalog, metrics: service, index: index, clock: clock, logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await metrics.run() }
            group.addTask { try await index.run() }
            try await body(shop)
            group.cancelAll()
            try await group.waitForAll()
        }
        for backend in backends { try await backend.close() }
    }

    @discardableResult
    func change<R: Sendable>(
        _ body: @Sendable @escaping (CatalogTransaction) throws -> R
    ) async throws -> R {
        try await catalog.change(.untracked(by: Self.principal), body)
    }

    /// The content of a checkpoint.
    static func tree(_ run: RunID, _ step: Int64) -> SHA256Digest {
        var bytes = run.bytes.array + [UInt8](repeating: 0, count: 16)
        bytes[30] = UInt8(truncatingIfNeeded: step >> 8)
        bytes[31] = UInt8(truncatingIfNeeded: step)
        guard let digest = SHA256Digest(bytes) else { preconditionFailure("32 bytes") }
        return digest
    }

    /// A run that has ended, with a folder of 10 bytes for each step.
    func run(in experiment: ExperimentID = 0, checkpoints: [Int64]) async throws -> RunID {
        let run = try await change { try $0.createRun(NewRun(experimentID: experiment)).id }
        try await change { transaction in
            for step in checkpoints {
                try transaction.mountTree(
                    run, path: TreePath("checkpoint-\(step)"), tree: Self.tree(run, step), size: 10,
                    files: 1)
            }
        }
        try await change { _ = try $0.updateRun(run, RunUpdate(status: .finished)) }
        return run
    }

    func mounts(_ run: RunID) async throws -> Int {
        try await catalog.read { try $0.mounts(run).count }
    }

    /// Returns once the points (step, value) are durable.
    func write(_ run: RunID, _ points: [(Int64, Double)]) async throws {
        let batch = try MetricBatch(
            sequence: 1, series: [MetricSeries(key: "loss")], seriesIndex: [],
            columns: MetricColumns(
                steps: points.map(\.0), times: points.map(\.0), values: points.map(\.1)))
        let writer = try await metrics.openWriter(
            run: run, writer: .random(), onDurable: { _ in }, onFailure: { _ in })
        try writer.submit(batch, bytes: 1)
        await withCheckedContinuation { continuation in
            writer.finish { continuation.resume() }
        }
        writer.close()
    }

    func set(
        _ subject: RetentionSubject, _ rules: RetentionRules, automatic: Bool = false
    ) async throws {
        _ = try await retention.set(
            subject, rules, automatic: automatic, .untracked(by: Self.principal))
    }

    func plan(
        _ subject: RetentionSubject, _ rules: RetentionRules? = nil
    ) async throws -> ([RetentionLine], RetentionSum) {
        let news = Mutex<[RetentionNews]>([])
        try await retention.plan(subject, rules) { each in news.withLock { $0.append(each) } }
        return try Self.parts(news.withLock { $0 })
    }

    func apply(
        _ subject: RetentionSubject, _ plan: SHA256Digest
    ) async throws -> ([RetentionLine], RetentionSum) {
        let news = Mutex<[RetentionNews]>([])
        try await retention.apply(subject, plan: plan, by: Self.principal) { each in
            news.withLock { $0.append(each) }
        }
        return try Self.parts(news.withLock { $0 })
    }

    private static func parts(
        _ news: [RetentionNews]
    ) throws -> ([RetentionLine], RetentionSum) {
        guard case .sum(let sum)? = news.last else {
            throw LinajeError(.internalError, "the last word is no sum")
        }
        let lines = news.dropLast().compactMap { each -> RetentionLine? in
            guard case .item(let line) = each else { return nil }
            return line
        }
        return (lines, sum)
    }
}
