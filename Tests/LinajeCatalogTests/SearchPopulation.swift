import LinajeCatalog
import LinajeDomain

/// Runs of every kind: values missing, NaN, infinite, equal, of other types, in other alphabets.
struct SearchPopulation {
    static let start: Int64 = 1_767_225_600_000_000  // 2026-01-01T00:00:00Z

    let runs: [SearchedRun]
    private let new: [(NewRun, RunUpdate?, RunAdditions, [RunMetric])]

    init(count: UInt64, seed: UInt64) {
        var random = SeededGenerator(state: seed)
        var new: [(NewRun, RunUpdate?, RunAdditions, [RunMetric])] = []
        for number in 1...count {
            new.append(Self.make(number, &random))
        }
        self.new = new
        runs = new.map(Self.run)
    }

    /// Creates them in experiments 0 to 3.
    func store(in fixture: CatalogFixture) async throws {
        let new = new
        try await fixture.change { catalog in
            for name in ["one", "two", "three"] { _ = try catalog.createExperiment(name: name) }
        }
        try await fixture.change(by: CatalogFixture.bob) { catalog in
            for (run, update, additions, metrics) in new {
                let id = try catalog.createRun(run).id
                if let update { _ = try catalog.updateRun(id, update) }
                if run.id.map({ Self.isDeleted($0) }) ?? false {
                    try catalog.logRun(id, additions)
                    _ = try catalog.updateRun(id, RunUpdate(lifecycle: .deleted))
                } else {
                    try catalog.logRun(id, additions)
                }
                try catalog.index(
                    OwnedMetrics(
                        owner: .run(id), metrics: metrics, isWhole: id.bytes.low % 3 != 0))
            }
        }
    }

    private static func isDeleted(_ id: RunID) -> Bool { id.bytes.low % 11 == 0 }

    private static func make(
        _ number: UInt64, _ random: inout SeededGenerator
    ) -> (NewRun, RunUpdate?, RunAdditions, [RunMetric]) {
        let names = ["alpha", "Beta", "beta", "gamma ray", "naïve", "100%", "a_b", "[x]*?", "ü"]
        var run = NewRun(
            id: .of(number), experimentID: Int64(number % 4),
            name: names.randomElement(using: &random) ?? "",
            user: ["ada", "Bob", ""][Int(number % 3)],
            parentID: number > 5 && number % 5 == 0 ? .of(1) : nil,
            startedAt: Timestamp(microseconds: start + Int64(number / 3) * 86_400_000_000 / 4 + 7))
        if number.isMultiple(of: 4) { run.params.append(Param(key: "typed", value: .bool(true))) }
        let rates: [ParamValue] = [
            .string("0.1"), .string("0.01"), .double(0.1), .int(3), .double(.nan),
            .double(.infinity),
            .string("ten"), .double(-2.5),
        ]
        if number % 7 != 0 {
            run.params.append(
                Param(key: "lr", value: rates.randomElement(using: &random) ?? .int(1)))
        }
        run.params.append(Param(key: "model name", value: .string("m\(number % 3)")))
        if number % 3 != 0 {
            let teams = ["vision", "Vision", "visor", "nlp", ""]
            run.tags.append(Tag(key: "team", value: teams.randomElement(using: &random) ?? ""))
        }
        run.tags.append(
            Tag(key: "long", value: String(repeating: "x", count: 190 + Int(number % 20))))
        var update: RunUpdate?
        let statuses: [RunStatus?] = [.finished, .failed, .killed, nil]
        if let status = statuses[Int(number % 4)] {
            update = RunUpdate(
                status: status,
                endedAt: Timestamp(microseconds: start + Int64(number) * 3_600_000_000),
                endedCause: status == .failed ? "out of memory" : "")
        }
        var additions = RunAdditions()
        if number % 2 == 0 {
            additions.datasets.append(
                DatasetInput(
                    name: "mnist", clientDigest: "d\(number % 5)", sourceType: "local",
                    source: "/data/\(number % 3)", context: number % 4 == 0 ? "train" : "eval"))
        }
        if number % 6 == 0 {
            additions.datasets.append(DatasetInput(name: "cifar", context: "train"))
        }
        let values = [0.05, 0.1, 0.5, 1, 1, -1, .nan, .infinity, -.infinity, 0]
        var metrics: [RunMetric] = []
        if number % 8 != 0 {
            let value = values.randomElement(using: &random) ?? 0
            metrics.append(RunMetric(key: "loss", value: value, step: 3, time: 5))
        }
        metrics.append(RunMetric(key: "val acc", value: Double(number), step: 1, time: 1))
        return (run, update, additions, metrics)
    }

    private static func run(
        _ new: NewRun, _ update: RunUpdate?, _ additions: RunAdditions, _ metrics: [RunMetric]
    ) -> SearchedRun {
        guard let id = new.id, let startedAt = new.startedAt else {
            preconditionFailure("every run has an id and a beginning")
        }
        let run = Run(
            id: id, experimentID: new.experimentID, name: new.name,
            status: update?.status ?? .running, lifecycle: isDeleted(id) ? .deleted : .active,
            user: new.user, principal: CatalogFixture.bob.name, parentID: new.parentID,
            startedAt: startedAt, endedAt: update?.endedAt, endedCause: update?.endedCause ?? "",
            params: new.params, tags: new.tags, metrics: metrics, datasets: additions.datasets)
        return SearchedRun(run: run, createdAt: ManualClock().now())
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
