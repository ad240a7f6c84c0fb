import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Plan of a search")
struct SearchPlanTests {
    @Test("searches of many runs walk an index instead of reading all runs")
    func noFullScan() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture, runs: 5_000)
            for (filter, order, counting) in [
                ("", ["metrics.loss"], false), ("", ["metrics.loss DESC"], false), ("", [], false),
                ("metrics.loss < 0.01", [], false), ("metrics.loss < 0.01", [], true),
                ("metrics.loss < 0.5", ["metrics.loss"], false), ("params.lr = '3'", [], false),
                ("params.lr = '3' AND metrics.loss < 0.1", [], true),
                (
                    "metrics.loss < 0.1 AND (params.lr IN ('1', '2') OR tags.team LIKE 'vis%')", [],
                    false
                ),
                ("status = 'FAILED'", [], false), ("tags.team LIKE 'vis%'", ["params.lr"], false),
                ("run_name = 'run 7'", [], false), ("", ["tags.team DESC"], false),
                ("start_time > '2026-01-01'", [], false), ("datasets.name = 'd'", [], true),
            ] as [(String, [String], Bool)] {
                let query = RunQuery(
                    filter: try Filter.parse(filter, for: .runs),
                    order: try SortKey.parse(order, for: .runs), page: try Page())
                let plan = try await fixture.store.search(query, .explanation(ofCount: counting))
                    .facts.plan
                #expect(plan.contains { $0.hasPrefix("plan: ") })
                // The last phase of an order, what has no value, is the rest of the list: it is walked
                // along an index too.
                for line in plan where line.hasPrefix("plan: SCAN runs") {
                    #expect(line.contains(" USING "), "\(filter) by \(order)")
                }
            }
        }
    }

    @Test("a part that finds few runs is gathered first, one that finds many is tested run by run")
    func driver() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture, runs: 5_000)
            func statements(_ filter: String) async throws -> [String] {
                let query = RunQuery(
                    filter: try Filter.parse(filter, for: .runs), page: try Page())
                return try await fixture.store.search(query, .explanation(ofCount: false)).facts
                    .plan.filter { $0.hasPrefix("statement: ") }
            }
            let equal = try await fixture.store.search(
                RunQuery(
                    filter: try Filter.parse("params.lr = '3'", for: .runs), page: try Page()),
                .explanation(ofCount: true)
            ).facts.plan
            #expect(equal.contains { $0.contains("run_params_by_value (key=? AND <expr>=?)") })
            let few = try await statements("metrics.loss < 0.01 AND tags.team = 'vision'")
            #expect(few.allSatisfy { $0.contains("FROM (SELECT t.run_id AS id FROM run_metrics") })
            let many = try await statements("metrics.loss < 0.9 AND tags.team != 'x'")
            #expect(many.allSatisfy { $0.contains("FROM runs WHERE") })
        }
    }

    @Test("a search that takes too long is stopped with what to do, and the next one works")
    func budget() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture, runs: 3_000)
            let store = CatalogStore(
                backend: fixture.backend, clock: fixture.clock, searchTime: .milliseconds(1))
            // Each of the patterns is tried on each of the runs.
            let text = (0..<100).map { "NOT tags.team LIKE '%\($0)%a%b%c%'" }
                .joined(separator: " AND ")
            let query = RunQuery(
                filter: try Filter.parse(text, for: .runs), page: try Page(limit: 1_000))
            await expectError(.limitExceeded, "narrow it") { _ = try await store.search(query) }
            let patient = CatalogStore(
                backend: fixture.backend, clock: fixture.clock, searchTime: .seconds(600))
            let found = try await patient.search(query, .count)
            #expect(found.facts.count == 3_000)
        }
    }

    @Test("patterns that long texts are compared with do not outlive the time of a search for long")
    func patterns() async throws {
        try await CatalogFixture.with { fixture in
            let text = String(repeating: "a", count: Limits.tagValueBytes)
            try await fixture.change { catalog in
                for number in UInt64(1)...40 {
                    _ = try catalog.createRun(
                        NewRun(
                            id: .of(number), experimentID: 0,
                            tags: [Tag(key: "text", value: text)]))
                }
            }
            let store = CatalogStore(
                backend: fixture.backend, clock: fixture.clock, searchTime: .milliseconds(1))
            // Each of the texts is compared at each of its characters nearly to the pattern's end.
            let pattern =
                "%" + String(repeating: "a", count: Limits.filterPatternBytes / 4) + "b%"
            let filter = try Filter.parse("NOT tags.text LIKE '\(pattern)'", for: .runs)
            for wish in [SearchWish.page, .count] {
                let start = ContinuousClock.now
                await expectError(.limitExceeded, "narrow it") {
                    _ = try await store.search(RunQuery(filter: filter, page: Page()), wish)
                }
                // All of them would take forty times what one takes.
                let whole = ContinuousClock.now - start
                let one = try await Self.time(of: fixture, filter)
                #expect(whole < one * 10, "\(wish)")
            }
        }
    }

    /// How long the search of one run takes.
    private static func time(of fixture: CatalogFixture, _ filter: Filter) async throws -> Duration
    {
        let start = ContinuousClock.now
        let first = try Filter.parse("run_id = '\(RunID.of(1))'", for: .runs)
        let found = try await fixture.store.search(
            RunQuery(filter: .all([first, filter]), page: Page()), .count)
        #expect(found.facts.count == 1)
        return ContinuousClock.now - start
    }

    @Test("what is at the bounds of a filter is answered by the database, too")
    func bounds() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture, runs: 10)
            // Every second condition a choice, so that no level can be folded into the next.
            var nested = "metrics.loss >= 0"
            for level in 1..<Limits.filterDepth {
                nested =
                    level.isMultiple(of: 2)
                    ? "(\(nested) AND metrics.loss < 2)" : "(\(nested) OR metrics.loss > 5)"
            }
            let nots =
                String(repeating: "NOT ", count: Limits.filterDepth / 2 * 2) + "metrics.loss >= 0"
            let times =
                "start_time IN ("
                + (0..<Limits.filterListTimes).map { "\($0)" }
                .joined(separator: ", ") + ")"
            for text in [nested, nots, times] {
                let query = RunQuery(
                    filter: try Filter.parse(text, for: .runs), page: try Page(limit: 100))
                let page = try await fixture.store.search(query)
                let counted = try await fixture.store.search(query, .count)
                #expect(page.elements.count == 10, "\(text.prefix(60))")
                #expect(counted.facts.count == 10, "\(text.prefix(60))")
            }
        }
    }

    /// Runs with a metric from 0 to 1, ten learning rates and two teams, and fresh statistics.
    private static func fill(_ fixture: CatalogFixture, runs: UInt64) async throws {
        try await fixture.change { catalog in
            for number in 1...runs {
                let id = RunID.of(number)
                _ = try catalog.createRun(
                    NewRun(
                        id: id, experimentID: 0, name: "run \(number)",
                        startedAt: Timestamp(microseconds: Int64(number)),
                        tags: [Tag(key: "team", value: number % 2 == 0 ? "vision" : "nlp")],
                        params: [Param(key: "lr", value: .string("\(number % 10)"))]))
                let loss = Double(number * 7_919 % runs) / Double(runs)
                try catalog.index(
                    OwnedMetrics(
                        owner: .run(id),
                        metrics: [RunMetric(key: "loss", value: loss, step: 0, time: 0)],
                        isWhole: true))
            }
        }
        var cursor: String?
        repeat {
            cursor = try await fixture.backend.maintain(.analyze, from: cursor).next
        } while cursor != nil
    }
}
