import LinajeDomain
import Testing

@Suite("Retention policies")
struct RetentionTests {
    private static let day: Int64 = 86_400_000_000
    private let now = Timestamp(microseconds: 100 * day)

    private func items(
        _ values: [Double?], protecting: [Int: String] = [:]
    ) throws -> [RetentionItem] {
        let tree = try #require(SHA256Digest([UInt8](repeating: 1, count: 32)))
        return values.enumerated().map { index, value in
            RetentionItem(
                name: "m\(index)",
                parts: [
                    RetentionPart(
                        place: .version(name: "m", version: UInt64(index)), tree: tree, size: 100)
                ],
                run: RunID(bytes: Bytes16(high: 1, low: UInt64(index % 2))),
                step: Int64(index * 500),
                createdAt: Timestamp(microseconds: (90 + Int64(index)) * Self.day), value: value,
                protection: protecting[index])
        }
    }

    private func kept(_ rules: RetentionRules, _ items: [RetentionItem]) -> Set<String> {
        Set(rules.verdicts(on: items, at: now).filter(\.isKept).map(\.item.name))
    }

    @Test("the best by a metric stay, in the direction that is better; NaN and nothing are worst")
    func best() throws {
        let items = try items([0.3, .nan, 0.1, nil, 0.2, 0.1])
        #expect(kept(RetentionRules(best: 2, metric: "loss"), items) == ["m2", "m5"])
        #expect(
            kept(RetentionRules(best: 2, metric: "acc", isMaximum: true), items) == ["m0", "m4"])
        #expect(kept(RetentionRules(best: 1, metric: "loss"), items) == ["m5"])
        #expect(kept(RetentionRules(best: 9, metric: "loss"), items).count == 4)
    }

    @Test("where no item has the metric everything stays, whatever the other rules say")
    func noValues() throws {
        let items = try items([nil, .nan, nil], protecting: [0: "alias champion"])
        for rules in [
            RetentionRules(best: 1, metric: "val_los"),
            RetentionRules(best: 1, metric: "val_los", last: 1, isPerRun: true),
            RetentionRules(best: 1, metric: "val_los", maxBytes: 1),
        ] {
            let verdicts = rules.verdicts(on: items, at: now)
            #expect(verdicts.map(\.isKept) == [true, true, true], "\(rules.text)")
            #expect(verdicts.map(\.item.name) == ["m2", "m1", "m0"])
            let why = "no item has a value of metric \"val_los\": nothing is let go of"
            #expect(verdicts.map(\.reasons) == [[why], [why], ["alias champion", why]])
        }
        // One value is enough to tell the best from the others.
        #expect(kept(RetentionRules(best: 1, metric: "loss"), try self.items([nil, 1])) == ["m1"])
    }

    @Test("rules add up: what one of them keeps stays")
    func union() throws {
        let items = try items([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        let rules = RetentionRules(best: 1, metric: "loss", last: 1, everyStep: 1_000)
        #expect(kept(rules, items) == ["m0", "m2", "m4", "m5"])
        #expect(kept(RetentionRules(maxAge: .seconds(7 * 86_400)), items) == ["m4", "m5"])
        #expect(kept(RetentionRules(last: 2), items) == ["m4", "m5"])
    }

    @Test("what is protected stays, whatever the policy says")
    func protection() throws {
        let items = try items([0.1, 0.2, 0.3], protecting: [0: "alias champion"])
        #expect(kept(RetentionRules(last: 1), items) == ["m0", "m2"])
        #expect(kept(RetentionRules(maxBytes: 1), items) == ["m0"])
    }

    @Test("a bound of bytes lets the oldest go first, and the best last")
    func bytes() throws {
        let items = try items([0.1, 0.2, 0.3, 0.4])
        #expect(kept(RetentionRules(maxBytes: 250), items) == ["m2", "m3"])
        #expect(
            kept(RetentionRules(best: 1, metric: "loss", last: 4, maxBytes: 250), items)
                == ["m0", "m3"])
        #expect(kept(RetentionRules(maxBytes: 400), items).count == 4)
    }

    @Test("a policy that says nothing is refused")
    func empty() throws {
        #expect(throws: LinajeError.self) { try RetentionRules().checked() }
        #expect(throws: LinajeError.self) { try RetentionRules(best: 1).checked() }
        #expect(throws: LinajeError.self) { try RetentionRules(last: -1).checked() }
        #expect(throws: LinajeError.self) { try RetentionRules(metric: "loss", last: 1).checked() }
        #expect(throws: LinajeError.self) { try RetentionRules(maxBytes: .max).checked() }
        #expect(throws: Never.self) { try RetentionRules(best: 1, metric: "loss").checked() }
    }

    @Test("per run, each run has its own best and last")
    func perRun() throws {
        let items = try items([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        #expect(kept(RetentionRules(last: 1, isPerRun: true), items) == ["m4", "m5"])
        #expect(
            kept(RetentionRules(best: 1, metric: "loss", isPerRun: true), items) == ["m0", "m1"])
        #expect(kept(RetentionRules(maxBytes: 250, isPerRun: true), items).count == 4)
    }

    @Test("applying the same rules again lets nothing more go")
    func stability() throws {
        let items = try items([0.4, 0.2, 0.6, 0.1, 0.5, 0.3])
        for rules in [
            RetentionRules(best: 2, metric: "loss"), RetentionRules(last: 3),
            RetentionRules(everyStep: 1_000), RetentionRules(maxBytes: 250),
            RetentionRules(best: 1, metric: "loss", last: 2, everyStep: 1_500, maxBytes: 300),
        ] {
            let left = rules.verdicts(on: items, at: now).filter(\.isKept).map(\.item)
            #expect(kept(rules, left) == Set(left.map(\.name)), "\(rules.text)")
            #expect(left.count < items.count, "\(rules.text)")
        }
    }

    @Test("content that two parts of an item have is counted once")
    func size() throws {
        var item = try items([nil])[0]
        item.parts += item.parts
        #expect(item.size == 100)
    }

    @Test(
        "folders that are named after a step are checkpoints, others are none",
        arguments: [
            ("checkpoint-500", "checkpoint-500", 500), ("out/ckpt_7/weights", "out/ckpt_7", 7),
            ("fold-3/step=12", "fold-3/step=12", 12), ("global_step500", "global_step500", 500),
            ("Epoch.3", "Epoch.3", 3), ("a/iter9/rank-0", "a/iter9", 9), ("model", nil, 0),
            ("plots-3", nil, 0), ("checkpoint", nil, 0), ("500", nil, 0), ("", nil, 0),
            ("step-99999999999999999999", nil, 0), ("v2/step-", nil, 0),
        ] as [(String, String?, Int64)])
    func folders(_ path: String, _ folder: String?, _ step: Int64) {
        let found = CheckpointFolder(of: path)
        #expect(found?.path == folder && found?.step ?? 0 == step)
    }

    @Test("rules say for people what they keep")
    func text() {
        let rules = RetentionRules(
            best: 3, metric: "loss", last: 5, maxAge: .seconds(30 * 86_400), maxBytes: 1 << 30,
            isPerRun: true)
        #expect(
            rules.text
                == "best 3 by lowest loss, last 5, younger than 30d, at most 1.0 GiB together, in each run"
        )
    }
}
