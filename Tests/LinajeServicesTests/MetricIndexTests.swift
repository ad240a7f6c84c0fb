import Foundation
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajeServices
import Logging
import SQLiteBackend
import Testing

@Suite("Index of metrics")
struct MetricIndexTests {
    @Test("the last value by step, then time, then arrival is found, over writers and models")
    func lastValues() async throws {
        try await Stores.with { stores in
            let run = try await stores.run()
            let model = MetricSeries(key: "loss", modelID: .random())
            try await stores.write(run, [(1, 10, 0.5), (3, 10, 0.25), (2, 99, 9)])
            try await stores.write(run, [(3, 9, 7)])
            #expect(try await stores.indexed(run) == [RunMetric("loss", 0.25, 3, 10)])
            // Later at the same step, about a model: it is the last value all the same.
            try await stores.write(run, [(3, 11, 0.75)], of: model)
            #expect(try await stores.indexed(run) == [RunMetric("loss", 0.75, 3, 11)])
            // Equal in step and time: what arrived last counts.
            try await stores.write(run, [(3, 11, 0.5)])
            #expect(try await stores.indexed(run) == [RunMetric("loss", 0.5, 3, 11)])
            try await stores.write(run, [(4, 0, .nan)])
            let metrics = try await stores.indexed(run)
            #expect(metrics.count == 1 && metrics[0].value.isNaN && metrics[0].step == 4)
            try await stores.write(run, [(0, 0, 2)], of: MetricSeries(key: "acc"))
            let keys = try await stores.indexed(run).map(\.key)
            #expect(keys == ["acc", "loss"])
        }
    }

    @Test("logged models are found by what was logged about them, in any run")
    func models() async throws {
        try await Stores.with { stores in
            let runs = [try await stores.run(), try await stores.run()]
            let model = LoggedModelID.random()
            let principal = Principal(name: "uid:1000", role: .writer)
            try await stores.catalog.change(.untracked(by: principal)) {
                _ = try $0.createLoggedModel(
                    NewLoggedModel(id: model, experimentID: 0, name: "m"))
            }
            func found(_ filter: String) async throws -> Bool {
                try await stores.index.pass()
                let filter = try Filter.parse(filter, for: .loggedModels)
                let page = try await stores.catalog.search(
                    LoggedModelQuery(filter: filter, page: Page()))
                return !page.elements.isEmpty
            }
            let series = MetricSeries(key: "auc", modelID: model)
            try await stores.write(runs[0], [(1, 1, 0.5), (2, 2, 0.75)], of: series)
            // What is not about the model says nothing of it.
            try await stores.write(runs[0], [(9, 9, 0.1)], of: MetricSeries(key: "auc"))
            #expect(try await found("metrics.auc = 0.75"))
            try await stores.write(runs[1], [(1, 9, 0.25)], of: series)
            #expect(try await found("metrics.auc = 0.75"))
            try await stores.write(runs[1], [(3, 3, 0.25)], of: series)
            #expect(try await found("metrics.auc = 0.25"))
            #expect(try await found("NOT metrics.auc = 0.75"))
        }
    }

    @Test("a crash between the catalog and the mark does the same work again, and loses nothing")
    func crashBetween() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("linaje-index-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let run = try await Stores.with(folder) { stores in
            let run = try await stores.run()
            try await stores.write(run, [(1, 1, 1)])
            let batch = try await stores.metrics.unindexed(after: nil, runs: 10)
            try await stores.carry(batch)
            // Here it ends.
            return run
        }
        try await Stores.with(folder) { (stores: Stores) async throws -> Void in
            #expect(try await stores.metrics.hasUnindexed() == true)
            #expect(try await stores.indexed(run) == [RunMetric("loss", 1, 1, 1)])
            #expect(try await stores.metrics.hasUnindexed() == false)
        }
    }

    @Test("points that come between reading and marking are carried over by the next pass")
    func between() async throws {
        try await Stores.with { stores in
            let run = try await stores.run()
            let writer = WriterID.random()
            try await stores.write(run, [(1, 1, 1)], writer: writer)
            let batch = try await stores.metrics.unindexed(after: nil, runs: 10)
            try await stores.write(run, [(2, 2, 2)], writer: writer, sequence: 2)
            try await stores.carry(batch)
            try await stores.metrics.markIndexed(batch)
            #expect(try await stores.metrics.hasUnindexed() == true)
            #expect(try await stores.indexed(run) == [RunMetric("loss", 2, 2, 2)])
            // A mark that comes late lowers nothing.
            try await stores.metrics.markIndexed(batch)
            #expect(try await stores.metrics.hasUnindexed() == false)
        }
    }

    @Test("a pass takes all runs, in batches")
    func manyRuns() async throws {
        try await Stores.with { stores in
            var runs: [RunID] = []
            for number in 0..<7 {
                runs.append(try await stores.run())
                try await stores.write(runs[number], [(0, 0, Double(number))])
            }
            var cursor: MetricIndexBatch.Cursor?
            var seen: Set<RunID> = []
            repeat {
                let batch = try await stores.metrics.unindexed(after: cursor, runs: 3)
                #expect(batch.runs.count <= 3)
                seen.formUnion(batch.runs.map(\.run))
                cursor = batch.next
            } while cursor != nil
            #expect(seen == Set(runs))
        }
    }

    @Test("a batch is carried over in portions of few metrics, and nothing of it is left out")
    func portions() async throws {
        try await Stores.with { stores in
            var written: [MetricOwner: Set<String>] = [:]
            for count in [1, 5, 2] {
                let run = try await stores.run()
                for number in 0..<count {
                    let key = "metric \(number)"
                    try await stores.write(run, [(0, 0, 1)], of: MetricSeries(key: key))
                    written[.run(run), default: []].insert(key)
                }
            }
            let batch = try await stores.metrics.unindexed(after: nil, runs: 10)
            let portions = batch.portions(of: 3)
            let sizes = portions.map { $0.reduce(0) { $0 + $1.metrics.count } }
            #expect(sizes == [3, 3, 2])
            var carried: [MetricOwner: Set<String>] = [:]
            for piece in portions.joined() {
                carried[piece.owner, default: []].formUnion(piece.metrics.map(\.key))
                let all = written[piece.owner]?.count
                #expect(piece.isWhole == (piece.metrics.count == all))
            }
            #expect(carried == written)
            #expect(batch.portions(of: 100).count == 1)
        }
    }

    @Test("while the service runs, a search that catches up sees what was durable before it")
    func catchUp() async throws {
        try await Stores.with { stores in
            let run = try await stores.run()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await stores.index.run() }
                for step in Int64(1)...20 {
                    try await stores.write(run, [(step, step, Double(step))])
                    try await stores.index.catchUp()
                    let listed = try await stores.listed(run)
                    #expect(listed == [RunMetric("loss", Double(step), step, step)])
                }
                group.cancelAll()
            }
        }
    }
}

extension RunMetric {
    fileprivate init(_ key: String, _ value: Double, _ step: Int64, _ time: Int64) {
        self.init(key: key, value: value, step: step, time: time)
    }
}

/// A catalog and a metric engine on real files, with the index between them.
private struct Stores: Sendable {
    struct StandingClock: WallClock {
        func now() -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000) }
    }

    let catalog: CatalogStore
    let metrics: MetricStore
    let index: MetricIndexService

    static func with(_ body: @Sendable (Stores) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("linaje-index-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await with(folder, body)
    }

    static func with<Value: Sendable>(
        _ folder: URL, _ body: @Sendable (Stores) async throws -> Value
    ) async throws -> Value {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let backends = [
            try SQLiteBackend(path: folder.appendingPathComponent("catalog.db").path),
            try SQLiteBackend(path: folder.appendingPathComponent("metrics.db").path),
        ]
        let catalog = CatalogStore(backend: backends[0], clock: StandingClock())
        let metrics = MetricStore(backend: backends[1], clock: StandingClock(), logger: logger)
        try await catalog.prepare()
        try await metrics.prepare()
        let stores = Stores(
            catalog: catalog, metrics: metrics,
            // What a search waits for is tested, not how long on a busy machine.
            index: MetricIndexService(
                catalog: catalog, metrics: metrics, logger: logger, patience: .seconds(600)))
        let value = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await metrics.run() }
            let value = try await body(stores)
            group.cancelAll()
            try await group.waitForAll()
            return value
        }
        for backend in backends { try await backend.close() }
        return value
    }

    func run() async throws -> RunID {
        let principal = Principal(name: "uid:1000", role: .writer)
        return try await catalog.change(.untracked(by: principal)) {
            try $0.createRun(NewRun(experimentID: 0)).id
        }
    }

    /// Returns once the points (step, time, value) are durable.
    func write(
        _ run: RunID, _ points: [(Int64, Int64, Double)],
        of series: MetricSeries = MetricSeries(key: "loss"), writer: WriterID = .random(),
        sequence: UInt64 = 1
    ) async throws {
        let batch = try MetricBatch(
            sequence: sequence, series: [series], seriesIndex: [],
            columns: MetricColumns(
                steps: points.map(\.0), times: points.map(\.1), values: points.map(\.2)))
        let writer = try await metrics.openWriter(
            run: run, writer: writer, onDurable: { _ in }, onFailure: { _ in })
        try writer.submit(batch, bytes: 1)
        await withCheckedContinuation { continuation in
            writer.finish { continuation.resume() }
        }
        writer.close()
    }

    /// Writes a batch into the catalog, without a mark in the metric database.
    func carry(_ batch: MetricIndexBatch) async throws {
        for portion in batch.portions(of: 100) { try await catalog.indexMetrics(portion) }
    }

    /// What searches see of a run after a pass.
    func indexed(_ run: RunID) async throws -> [RunMetric] {
        try await index.pass()
        return try await listed(run)
    }

    func listed(_ run: RunID) async throws -> [RunMetric] {
        let filter = try Filter.parse("run_id = '\(run)'", for: .runs)
        let page = try await catalog.search(RunQuery(filter: filter, page: Page()))
        return page.elements.first?.metrics ?? []
    }
}
