import LinajeCatalog
import LinajeDomain
import Testing

@Suite("Search")
struct SearchTests {
    /// Filters whose answers are compared with those of the evaluator.
    static let filters = [
        "", "metrics.loss < 0.1", "metrics.loss <= 0.1", "metrics.loss > 0.1",
        "metrics.loss >= 0.1", "metrics.loss = 1", "metrics.loss != 1", "metrics.loss = 0",
        "metrics.loss = NaN", "metrics.loss != NaN", "metrics.loss < NaN", "metrics.loss >= NaN",
        "metrics.loss = inf", "metrics.loss < inf", "metrics.loss > -inf", "metrics.loss = -inf",
        "metrics.loss IN (0.05, 1)", "metrics.loss IN (NaN)", "metrics.loss IN (NaN, 1, inf)",
        "metrics.loss NOT IN (1)", "metrics.loss NOT IN (NaN)", "metrics.loss NOT IN (1, NaN)",
        "metrics.loss IS NULL", "metrics.loss IS NOT NULL", "NOT metrics.loss = 1",
        "NOT metrics.loss < 0.1", "NOT metrics.loss != NaN", "metrics.`val acc` > 20",
        "metrics.none > 1", "NOT metrics.none > 1", "metrics.Loss > 0",
        "params.lr = '0.1'", "params.lr != '0.1'", "params.lr = 0.1", "params.lr != 0.1",
        "params.lr < 1", "params.lr >= 3", "params.lr <= -2.5", "NOT params.lr < 1",
        "params.lr < '1'", "params.lr >= 't'", "params.lr IN ('0.1', '0.01')",
        "params.lr IN (0.1, 'ten', 3)", "params.lr NOT IN (0.1, 'ten', 3)",
        "params.lr NOT IN ('0.1')", "params.lr IN (3)", "params.lr NOT IN (3)",
        "params.lr LIKE '0.%'", "params.lr NOT LIKE '0.%'", "params.lr LIKE 'T%'",
        "params.lr ILIKE 'T_N'", "params.lr IS NULL", "params.lr IS NOT NULL",
        "params.typed = 'true'", "params.`model name` = 'm1'", "params.lr = 'nan'",
        "tags.team = 'vision'", "tags.team != 'vision'", "tags.team LIKE 'vis%'",
        "tags.team LIKE '%is%'", "tags.team ILIKE 'VIS%'", "tags.team NOT ILIKE '%o_'",
        "tags.team LIKE ''", "tags.team = ''", "tags.team IS NULL", "tags.team > 'nlp'",
        "tags.team <= 'nlp'", "tags.team IN ('nlp', 'visor', '')", "tags.team NOT IN ('nlp')",
        "tags.long LIKE 'xxx%'", "tags.long = '\(x(199))'", "tags.long = '\(x(200))'",
        "tags.long = '\(x(205))'", "tags.long IN ('\(x(195))', '\(x(203))')",
        "tags.long LIKE '\(x(203))%'", "tags.long = '\(x(250))'", "NOT tags.team LIKE 'vis%'",
        "tags.team LIKE '_isi%'",
        "status = 'FAILED'", "status != 'FAILED'", "status IN ('FAILED', 'KILLED')",
        "status NOT IN ('FAILED')", "status LIKE 'F%'", "status = 'nothing'", "status > 'G'",
        "status IS NULL", "run_id = '00000000000000070000000000000003'",
        "run_id != '00000000000000070000000000000003'", "run_id = 'xyz'", "run_id != 'xyz'",
        "run_id IN ('00000000000000070000000000000003', 'xyz')", "run_id NOT IN ('xyz')",
        "run_id LIKE '%3'", "run_id > '00000000000000070000000000000010'", "run_id < 'a'",
        "run_name = 'beta'", "`Run name` ILIKE 'BETA'", "name LIKE '%[x]*?%'", "name LIKE 'a_b'",
        "name LIKE '100%'", "name LIKE 'na_ve'", "name = 'ü'", "name > 'z'", "name LIKE '%*%'",
        "user_id = 'ada'", "user_id = ''", "user_id ILIKE 'b%'",
        "artifact_uri LIKE 'runs:/%07'", "start_time > '2026-01-03'",
        "start_time <= '2026-01-03T00:00:00.000007Z'", "start_time < '2026-01-03'",
        "start_time = 1767225600000", "start_time != 1767225600000",
        "start_time > 1767225600000", "start_time <= 1767225600000",
        "start_time IN (1767225600000)",
        "start_time NOT IN (1767225600000)", "end_time IS NULL", "end_time IS NOT NULL",
        "end_time > '2026-01-02'", "NOT end_time > '2026-01-02'", "end_time != '2026-01-02'",
        "end_time NOT IN ('2026-01-02')", "creation_time > 0", "ended_cause LIKE '%memory%'",
        "experiment_id = 2", "experiment_id IN (1, '3')", "experiment_id >= 1.5",
        "experiment_id LIKE '_'", "lifecycle = 'deleted'", "parent_id IS NULL",
        "parent_id = '00000000000000070000000000000001'", "principal = 'uid:1001'",
        "NOT parent_id = '00000000000000070000000000000001'",
        "datasets.name = 'mnist'", "datasets.name != 'mnist'", "NOT datasets.name = 'mnist'",
        "datasets.name IS NULL", "datasets.name IS NOT NULL", "datasets.context = 'train'",
        "datasets.digest = 'd0'", "datasets.digest IN ('d0', 'd2')",
        "datasets.digest NOT IN ('d0')",
        "datasets.source LIKE '/data/%'", "datasets.source_type = 'local'",
        "datasets.name LIKE 'm%' AND datasets.context = 'train'",
        "metrics.loss < 0.5 AND params.lr = '0.1'", "metrics.loss < 0.5 OR params.lr = '0.1'",
        "NOT (metrics.loss < 0.5 OR params.lr = '0.1')",
        "metrics.loss < 0.5 AND NOT params.lr = '0.1' AND status = 'FINISHED'",
        "(status = 'FAILED' OR status = 'KILLED') AND (tags.team = 'nlp' OR tags.team IS NULL)",
        "metrics.loss < 0.1 AND (params.lr IN ('0.1','0.01') OR tags.team LIKE 'vis%') "
            + "AND NOT attributes.status = 'FAILED' AND attributes.start_time > '2026-01-01'",
    ]

    private static func x(_ count: Int) -> String { String(repeating: "x", count: count) }

    @Test("every filter of the table finds what the evaluator finds, and counts it")
    func table() async throws {
        #expect(Self.filters.count >= 80)
        try await CatalogFixture.with { fixture in
            let population = SearchPopulation(count: 60, seed: 1)
            try await population.store(in: fixture)
            for text in Self.filters {
                let filter = try Filter.parse(text, for: .runs)
                try await Self.expectSame(fixture, population, filter, [], limit: 7)
            }
        }
    }

    @Test("every order of the table is that of the evaluator, page by page")
    func orders() async throws {
        try await CatalogFixture.with { fixture in
            let population = SearchPopulation(count: 60, seed: 2)
            try await population.store(in: fixture)
            for texts in Self.orders {
                let keys = try SortKey.parse(texts, for: .runs)
                for filter in [Filter.everything, try .parse("tags.team LIKE 'v%'", for: .runs)] {
                    for limit in [7, 1_000] {
                        try await Self.expectSame(fixture, population, filter, keys, limit: limit)
                    }
                }
            }
        }
    }

    static let orders = [
        [], ["metrics.loss"], ["metrics.loss DESC"], ["metrics.none"], ["params.lr"],
        ["params.lr DESC"], ["tags.team"], ["tags.team DESC"], ["tags.long"], ["start_time"],
        ["start_time DESC"], ["end_time"], ["end_time DESC"], ["run_name"], ["status DESC"],
        ["run_id"], ["artifact_uri DESC"], ["experiment_id", "run_id"], ["parent_id DESC"],
        ["metrics.loss", "params.lr DESC"], ["metrics.loss DESC", "metrics.`val acc`"],
        ["status", "metrics.loss DESC", "tags.team", "run_name DESC"],
        ["params.`model name`", "end_time DESC", "metrics.loss"], ["user_id", "tags.team DESC"],
    ]

    @Test("random filters and orders find what the evaluator finds", arguments: [UInt64](1...4))
    func random(_ seed: UInt64) async throws {
        var random = SeededGenerator(state: seed)
        try await CatalogFixture.with { fixture in
            let population = SearchPopulation(count: 40, seed: seed)
            try await population.store(in: fixture)
            for _ in 0..<40 {
                let filter = try Self.filter(&random, depth: 3)
                let order = Self.orders.randomElement(using: &random) ?? []
                try await Self.expectSame(
                    fixture, population, filter, try SortKey.parse(order, for: .runs),
                    limit: Int.random(in: 5...50, using: &random))
            }
        }
    }

    private static func filter(
        _ random: inout SeededGenerator, depth: Int
    ) throws -> Filter {
        let kind = depth == 0 ? 3 : Int.random(in: 0...5, using: &random)
        func parts() throws -> [Filter] {
            try (0..<Int.random(in: 2...3, using: &random)).map { _ in
                try filter(&random, depth: depth - 1)
            }
        }
        switch kind {
        case 0: return .all(try parts())
        case 1: return .any(try parts())
        case 2: return .not(try filter(&random, depth: depth - 1))
        default:
            return try Filter.parse(filters.randomElement(using: &random) ?? "", for: .runs)
        }
    }

    @Test("what comes and goes while somebody pages neither repeats nor hides what stays")
    func stable() async throws {
        for texts in [["metrics.loss"], ["metrics.loss DESC", "run_name"], ["tags.team"], []] {
            try await CatalogFixture.with { fixture in
                let population = SearchPopulation(count: 60, seed: 3)
                try await population.store(in: fixture)
                let keys = try SortKey.parse(texts, for: .runs)
                let before = try await Self.pages(fixture, .everything, keys, limit: 1_000)
                var seen: [RunID] = []
                var gone: Set<RunID> = []
                var token = ""
                var number: UInt64 = 1_000
                repeat {
                    let page = try await Self.page(fixture, .everything, keys, 7, token)
                    seen += page.elements.map(\.id)
                    token = page.nextPageToken
                    let victim = before[(Int(number) * 13) % before.count]
                    let new = RunID.of(number)
                    number += 1
                    gone.insert(victim)
                    try await fixture.change { catalog in
                        _ = try catalog.updateRun(victim, RunUpdate(lifecycle: .deleted))
                        _ = try catalog.createRun(NewRun(id: new, experimentID: 0, name: "new"))
                        let loss = RunMetric(key: "loss", value: 0.5, step: 0, time: 0)
                        try catalog.index(
                            OwnedMetrics(owner: .run(new), metrics: [loss], isWhole: true))
                    }
                } while !token.isEmpty
                #expect(Set(seen).count == seen.count)
                let known = Set(before)
                #expect(
                    seen.filter { known.contains($0) && !gone.contains($0) }
                        == before.filter { !gone.contains($0) })
            }
        }
    }

    @Test("a token of another filter or order is refused")
    func foreignTokens() async throws {
        try await CatalogFixture.with { fixture in
            try await SearchPopulation(count: 20, seed: 4).store(in: fixture)
            let loss = try SortKey.parse(["metrics.loss"], for: .runs)
            let token = try await Self.page(fixture, .everything, loss, 3, "").nextPageToken
            #expect(!token.isEmpty)
            let failed = try Filter.parse("status = 'FAILED'", for: .runs)
            for (filter, keys) in [
                (failed, loss), (.everything, []),
                (.everything, try SortKey.parse(["metrics.loss DESC"], for: .runs)),
            ] {
                await expectError(.invalidArgument, "page token", "another search") {
                    _ = try await Self.page(fixture, filter, keys, 3, token)
                }
            }
        }
    }

    // MARK: Comparing

    private static func page(
        _ fixture: CatalogFixture, _ filter: Filter, _ keys: [SortKey], _ limit: Int,
        _ token: String
    ) async throws -> Paged<Run> {
        try await fixture.read {
            try $0.runs(
                RunQuery(filter: filter, order: keys, page: Page(limit: limit, token: token)))
        }
    }

    private static func pages(
        _ fixture: CatalogFixture, _ filter: Filter, _ keys: [SortKey], limit: Int
    ) async throws -> [RunID] {
        var found: [RunID] = []
        var token = ""
        repeat {
            let page = try await page(fixture, filter, keys, limit, token)
            found += page.elements.map(\.id)
            token = page.nextPageToken
        } while !token.isEmpty
        return found
    }

    private static func expectSame(
        _ fixture: CatalogFixture, _ population: SearchPopulation, _ filter: Filter,
        _ keys: [SortKey], limit: Int
    ) async throws {
        let evaluator = SearchEvaluator()
        let expected = population.runs
            .filter { $0.run.lifecycle == .active && evaluator.passes(filter, $0) }
            .sorted { evaluator.isBefore($0, $1, keys) }
            .map(\.run.id)
        let found = try await pages(fixture, filter, keys, limit: limit)
        #expect(found == expected, "\(filter) by \(keys)")
        let count = try await fixture.read {
            try $0.count(RunQuery(filter: filter, page: Page()))
        }
        #expect(count == UInt64(expected.count), "count of \(filter)")
    }
}
