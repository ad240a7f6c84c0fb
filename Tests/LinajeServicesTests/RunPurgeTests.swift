import Foundation
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeRunLogs
import Logging
import SQLiteBackend
import Synchronization
import Testing

@testable import LinajeServices

@Suite("Deleting runs for good")
struct RunPurgeTests {
    @Test("a run is whole or gets gone, whatever two steps of its deletion the daemon dies between")
    func death() async throws {
        let folder = try Folder()
        let original = folder.path("original")
        let (doomed, kept) = try await House.with(original) { house in
            (try await house.fill(segments: 260), try await house.fill())
        }
        let before = try await House.with(original) { house in
            (
                try await house.belongings(of: doomed), try await house.belongings(of: kept)
            )
        }
        #expect(before.0.count >= 12, "\(before.0)")
        var deaths = 0
        var wholes = 0
        while true {
            let path = folder.path("\(deaths)")
            try FileManager.default.copyItem(atPath: original, toPath: path)
            let death = Death(after: deaths)
            try await House.with(path, dying: death) { house in
                try? await house.purge(doomed)
            }
            guard death.hasCome else { break }
            deaths += 1
            // The next daemon.
            let step = deaths
            let isThere = try await House.with(path, finishing: false) { house in
                let isThere = try await house.catalog.read { try $0.runStatus(doomed) } != nil
                await house.purges.finishAll()
                let left = try await house.belongings(of: doomed)
                let traces = try await house.traces(of: doomed)
                #expect(isThere ? left == before.0 : traces.isEmpty, "step \(step): \(traces)")
                let other = try await house.belongings(of: kept)
                #expect(other == before.1, "step \(step)")
                let ledger = try await house.catalog.read { try $0.verifyLedger() }
                #expect(ledger.finding.isEmpty && ledger.events == (isThere ? 0 : 1))
                return isThere
            }
            wholes += isThere ? 1 : 0
            try FileManager.default.removeItem(atPath: path)
        }
        #expect(deaths > 25 && wholes > 5 && wholes < deaths)
    }

    @Test("a run that cannot be finished does not keep others, and is finished once it can be")
    func illRun() async throws {
        let folder = try Folder()
        try await House.with(folder.path("a")) { house in
            let ill = try await house.fill()
            let well = try await house.fill()
            #expect(
                ill.bytes.array.lexicographicallyPrecedes(well.bytes.array),
                "the ill one comes first")
            _ = try await house.backends[1].write { connection in
                try connection.execute(
                    """
                    CREATE TRIGGER ill BEFORE DELETE ON metric_chunks
                    WHEN OLD.run = x'\(Hex.encode(ill.bytes.array))'
                    BEGIN SELECT RAISE(ABORT, 'ill'); END
                    """)
            }
            let told = try await house.purge(.init(.runs([ill, well], alsoActive: true)))
            #expect(told.map(\.id) == [ill, well])
            #expect(told[0].failure?.message.contains("is not removed yet") == true)
            #expect(told[1].failure == nil)
            #expect(try await house.traces(of: well) == [:])
            #expect(try await house.traces(of: ill) != [:])
            _ = try await house.backends[1].write { try $0.execute("DROP TRIGGER ill") }
            try await house.purge(ill)
            #expect(try await house.traces(of: ill) == [:])
        }
    }

    @Test("the index does not bring values of a deleted run back, nor does the id come back")
    func lateIndex() async throws {
        let folder = try Folder()
        try await House.with(folder.path("a")) { house in
            let run = try await house.fill()
            let batch = try await house.metrics.unindexed(after: nil, runs: 9)
            #expect(batch.runs.map(\.run) == [run])
            try await house.purge(run)
            // What was read before comes to the catalog after.
            for portion in batch.portions(of: 100) {
                try await house.catalog.indexMetrics(portion)
            }
            try await house.metrics.markIndexed(batch)
            #expect(try await house.traces(of: run) == [:])
            await #expect(throws: LinajeError.self) {
                try await house.catalog.change(.untracked(by: House.principal)) {
                    try $0.createRun(NewRun(id: run, experimentID: 0))
                }
            }
        }
    }

    @Test("whoever reads, follows or writes a run that is deleted is told so")
    func users() async throws {
        let folder = try Folder()
        try await House.with(folder.path("a")) { house in
            let run = try await house.fill()
            let told = Mutex<LinajeError?>(nil)
            let writer = try await house.service.openWriter(
                run: run, writer: .random(), replay: false, onDurable: { _ in },
                onFailure: { error in told.withLock { $0 = error } })
            let history = try await house.service.history(run, MetricQuery())
            let buckets = try await house.service.buckets(
                run, try MetricBucketQuery(MetricQuery(), count: 2))
            let tail = try await house.service.tail(run, keys: [])
            var pieces = history.makeAsyncIterator()
            #expect(try await pieces.next() != nil)
            try await house.purge(run)
            await #expect(throws: House.gone(run)) { _ = try await pieces.next() }
            await #expect(throws: House.gone(run)) { for try await _ in buckets {} }
            for await _ in tail {}
            #expect(told.withLock { $0 } == House.gone(run))
            #expect(throws: House.gone(run)) {
                try writer.submit(try House.batch(1, [(1, 1, 1)]), bytes: 1)
            }
            writer.close()
            for action in [
                { _ = try await house.service.history(run, MetricQuery()) },
                { _ = try await house.service.summaries(run, keys: []) },
                { try await house.service.requireThere(run) },
                { _ = try await house.logs.open(run, at: .offset(0), streams: []) },
                { _ = try await house.logs.read(run, from: 0, streams: []) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: LinajeError.self) { try await action() }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test("a compaction at the same time leaves nothing behind")
    func compaction() async throws {
        let folder = try Folder()
        try await House.with(folder.path("a")) { house in
            for _ in 0..<5 {
                let run = try await house.fill()
                async let compacted = house.metrics.compact { _, _, _ in }
                try await house.purge(run)
                _ = try await compacted
                #expect(try await house.traces(of: run) == [:])
            }
        }
    }

    @Test("only runs that have been deleted for long enough go, and those that must stay are named")
    func ages() async throws {
        let folder = try Folder()
        try await House.with(folder.path("a")) { house in
            let (long, short, active) = (
                try await house.run(), try await house.run(), try await house.run()
            )
            let parent = try await house.run()
            let child = try await house.run(below: parent)
            let model = try await house.run()
            try await house.catalog.change(.untracked(by: House.principal)) {
                _ = try $0.createLoggedModel(
                    NewLoggedModel(experimentID: 0, runID: model, name: "forest"))
            }
            for run in [long, parent, model] { try await house.markDeleted(run) }
            house.clock.advance(by: .seconds(100))
            try await house.markDeleted(short)
            house.clock.advance(by: .seconds(10))
            let dry = try await house.purge(.init(.deletedFor(.seconds(100)), isDryRun: true))
            let wet = try await house.purge(.init(.deletedFor(.seconds(100))))
            for found in [dry, wet] {
                #expect(Set(found.map(\.id)) == [long, parent, model])
                let refused = found.filter { $0.failure != nil }
                #expect(refused.map(\.id) == [model])
                #expect(refused.first?.failure?.message.contains("logged model m-") == true)
            }
            let left = try await house.catalog.read { reader in
                try [long, short, active, parent, child, model].map {
                    try reader.runStatus($0)?.lifecycle
                }
            }
            #expect(left == [nil, .deleted, .active, nil, .active, .deleted])
            #expect(try await house.catalog.read { try $0.run(child).parentID } == nil)
            let refused = try await house.purge(.init(.runs([active], alsoActive: false)))
            #expect(refused.map { $0.failure?.code } == [.failedPrecondition])
            let again = try await house.purge(.init(.runs([long], alsoActive: true)))
            #expect(again.map { $0.failure?.code } == [.notFound])
        }
    }
}

/// A folder that goes with its owner.
private final class Folder {
    private let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("linaje-purge-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

/// The stores of a daemon on real files, and what deletes runs in them.
private struct House: Sendable {
    final class Clock: WallClock {
        private let time = Mutex(Timestamp(microseconds: 1_700_000_000_000_000))
        func now() -> Timestamp { time.withLock { $0 } }
        func advance(by duration: Duration) {
            time.withLock {
                $0 = Timestamp(
                    microseconds: $0.microseconds + duration.components.seconds * 1_000_000)
            }
        }
    }

    static let principal = Principal(name: "uid:1000", role: .admin)

    let clock: Clock
    let backends: [SQLiteBackend]
    let catalog: CatalogStore
    let metrics: MetricStore
    let logStore: RunLogStore
    let service: MetricService
    let logs: RunLogService
    let purges: RunPurgeService

    static func with<Value: Sendable>(
        _ path: String, dying death: Death? = nil, finishing: Bool = true,
        _ body: @Sendable (House) async throws -> Value
    ) async throws -> Value {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let house = try await House(path, death)
        let value = try await withThrowingTaskGroup(of: Void.self) { group in
            if death == nil { group.addTask { try await house.metrics.run() } }
            if finishing { group.addTask { try await house.purges.run() } }
            let value = try await body(house)
            group.cancelAll()
            try await group.waitForAll()
            return value
        }
        for backend in house.backends { try await backend.close() }
        return value
    }

    private init(_ path: String, _ death: Death?) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let backends = [
            try SQLiteBackend(path: path + "/catalog.db"),
            try SQLiteBackend(path: path + "/metrics.db"),
        ]
        // The daemon that dies finds its databases up to date.
        let decorated = backends.map { backend -> any SQLBackend in
            if let death { DyingBackend(backend, death) } else { backend }
        }
        clock = Clock()
        self.backends = backends
        catalog = CatalogStore(backend: decorated[0], clock: clock)
        metrics = MetricStore(backend: decorated[1], clock: clock, logger: logger)
        logStore = RunLogStore(backend: decorated[1], logger: logger)
        if death == nil {
            try await catalog.prepare()
            try await metrics.prepare()
            try await logStore.prepare()
        }
        let owners = OwnerWatch(catalog: catalog, clock: clock, logger: logger) { _ in }
        let uses = RunUses()
        service = MetricService(
            catalog: catalog, store: metrics, owners: owners, uses: uses)
        logs = RunLogService(catalog: catalog, store: logStore, uses: uses)
        purges = RunPurgeService(
            catalog: catalog, metrics: metrics, logs: logStore, owners: owners, uses: uses,
            clock: clock, logger: logger)
    }

    func run(below parent: RunID? = nil) async throws -> RunID {
        try await catalog.change(.untracked(by: Self.principal)) {
            try $0.createRun(NewRun(experimentID: 0, parentID: parent)).id
        }
    }

    func markDeleted(_ run: RunID) async throws {
        try await catalog.change(.untracked(by: Self.principal)) {
            _ = try $0.updateRun(run, RunUpdate(lifecycle: .deleted))
        }
    }

    /// A run with a little of everything, partly compacted; a step removes 256 segments.
    func fill(segments: Int = 8) async throws -> RunID {
        let run = try await run()
        var additions = RunAdditions()
        additions.params = [Param(key: "lr", value: .double(0.1))]
        additions.tags = TagChanges(set: [Tag(key: "team", value: "vision")])
        additions.datasets = [
            DatasetInput(
                name: "mnist",
                digests: [
                    try ContentDigest(
                        algorithm: "sha256", value: [UInt8](repeating: 7, count: 32))
                ], tags: [Tag(key: "split", value: "train")])
        ]
        try await catalog.change(.untracked(by: Self.principal)) { [additions] in
            try $0.logRun(run, additions)
            try $0.mountTree(
                run, path: nil, tree: .init([UInt8](repeating: 9, count: 32), noun: "tree"),
                size: 1, files: 1)
        }
        let writer = WriterID.random()
        try await write(run, [writer])
        _ = try await metrics.compact { _, _, _ in }
        try await write(run, (0..<segments).map { _ in .random() })
        _ = try await metrics.summaries(run, keys: [])
        let batch = try await metrics.unindexed(after: nil, runs: 9)
        for portion in batch.portions(of: 100) { try await catalog.indexMetrics(portion) }
        _ = try await logStore.append(
            run: run, writer: writer, offset: 0,
            [LogRecord(time: Timestamp(microseconds: 1), .bytes(.stdout, Array("hello\n".utf8)))])
        return run
    }

    /// A segment of each writer, all in a few commits.
    private func write(_ run: RunID, _ writers: [WriterID]) async throws {
        var open: [MetricWriter] = []
        for (place, id) in writers.enumerated() {
            let writer = try await metrics.openWriter(
                run: run, writer: id, onDurable: { _ in }, onFailure: { _ in })
            let step = Int64(place)
            try writer.submit(try Self.batch(1, (0..<10).map { (step, $0, 1) }), bytes: 1)
            open.append(writer)
        }
        for writer in open {
            await withCheckedContinuation { continuation in
                writer.finish { continuation.resume() }
            }
            writer.close()
        }
    }

    static func batch(
        _ sequence: UInt64, _ points: [(Int64, Int64, Double)]
    ) throws -> MetricBatch {
        try MetricBatch(
            sequence: sequence, series: [MetricSeries(key: "loss")], seriesIndex: [],
            columns: MetricColumns(
                steps: points.map(\.0), times: points.map(\.1), values: points.map(\.2)))
    }

    @discardableResult
    func purge(_ purge: RunPurge) async throws -> [PurgedRun] {
        let told = Mutex<[PurgedRun]>([])
        try await purges.purge(purge, by: Self.principal) { run in
            told.withLock { $0.append(run) }
        }
        return told.withLock { $0 }.filter(\.isFinished)
    }

    func purge(_ run: RunID) async throws {
        let found = try await purge(.init(.runs([run], alsoActive: true)))
        if let failure = found.first?.failure { throw failure }
    }

    static func gone(_ run: RunID) -> LinajeError {
        LinajeError(
            .notFound, "run \(run) was deleted for good", details: ["run_id": "\(run)"])
    }

    /// How many points a run has, and how many rows of everything else: compaction at any time moves
    /// points from one table to another.
    func belongings(of run: RunID) async throws -> [String: Int64] {
        var found = try await traces(of: run).filter {
            !["metric_segments.run", "metric_chunks.run"].contains($0.key)
        }
        let points = try await metrics.pointCount(run)
        if points > 0 { found["points"] = Int64(clamping: points) }
        return found
    }

    /// How many rows each table has of a run: whatever tables there are.
    func traces(of run: RunID) async throws -> [String: Int64] {
        var found: [String: Int64] = [:]
        for backend in backends {
            let rows = try await backend.read { connection in
                let columns = try connection.all(
                    """
                    SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
                    WHERE t.type = 'table' AND (c.name IN ('run', 'run_id', 'parent_id')
                        OR t.name = 'runs' AND c.name = 'id')
                    """
                ) { (table: try $0.text(0), column: try $0.text(1)) }
                var rows: [String: Int64] = [:]
                for (table, column) in columns where table != "run_purges" {
                    let count = try connection.first(
                        "SELECT COUNT(*) FROM \(table) WHERE \(column) = ?",
                        [.blob(run.array)]
                    ) { try $0.int(0) }
                    if let count, count > 0 { rows["\(table).\(column)"] = count }
                }
                return rows
            }
            found.merge(rows) { $1 }
        }
        return found
    }
}
