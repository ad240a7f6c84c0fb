import LinajeCatalog
import LinajeDomain
import Testing

@Suite("Retention policies in the catalog")
struct RetentionTests {
    private let plan = SHA256Digest.of(4_711)

    private func items(
        _ fixture: CatalogFixture, of subject: RetentionSubject, metric: String = ""
    ) async throws -> [String: RetentionItem] {
        let found = try await fixture.read { try $0.retentionItems(of: subject, metric: metric) }
        return Dictionary(found.map { ($0.name, $0) }) { first, _ in first }
    }

    @Test("a policy stays as it was set, follows its model's name, and goes with the model")
    func policies() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            let rules = RetentionRules(
                best: 3, metric: "loss", isMaximum: true, last: 2, maxAge: .seconds(3_600),
                everyStep: 500, maxBytes: 1 << 40, isPerRun: true)
            try await fixture.change {
                _ = try $0.setRetention(
                    of: .model("iris"), RetentionRules(last: 1), automatic: true)
                _ = try $0.setRetention(of: .model("iris"), rules, automatic: false)
                _ = try $0.setRetention(
                    of: .experiment(0), RetentionRules(last: 9), automatic: true)
            }
            var policies = try await fixture.read { try $0.retentionPolicies() }
            #expect(policies.map(\.subject) == [.experiment(0), .model("iris")])
            #expect(policies[1].rules == rules && !policies[1].isAutomatic)
            #expect(policies[1].principal == CatalogFixture.alice.name)
            #expect(policies[1].lastApplication == nil)
            let automatic = try await fixture.read { try $0.retentionPolicies(automatic: true) }
            #expect(automatic.map(\.subject) == [.experiment(0)])

            let sum = RetentionSum(plan: plan, kept: 1, freed: 4, freedBytes: 40)
            try await fixture.change {
                try $0.noteRetention(of: .experiment(0), sum, automatic: true)
                _ = try $0.updateRegisteredModel("iris", newName: "rose")
            }
            let last = try await fixture.read {
                try $0.retentionPolicy(of: .experiment(0))?.lastApplication
            }
            #expect(last?.items == 4 && last?.bytes == 40 && last?.isAutomatic == true)
            await expectError(.notFound, "iris") {
                _ = try await fixture.read { try $0.retentionPolicy(of: .model("iris")) }
            }
            #expect(
                try await fixture.read { try $0.retentionPolicy(of: .model("rose"))?.rules }
                    == rules)
            try await fixture.change { try $0.deleteRegisteredModel("rose") }
            policies = try await fixture.read { try $0.retentionPolicies() }
            #expect(policies.map(\.subject) == [.experiment(0)])
            try await fixture.change { try $0.removeRetention(of: .experiment(0)) }
            await expectError(.notFound, "experiment 0 has no retention policy") {
                try await fixture.change { try $0.removeRetention(of: .experiment(0)) }
            }
            let operations = try await fixture.operations()
            #expect(operations.filter { $0.hasPrefix("retention") }.count == 5, "\(operations)")
            #expect(try await fixture.read { try $0.verifyLedger().firstBad } == 0)
        }
    }

    @Test("rules that say nothing, and subjects that are not there, are refused")
    func refused() async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.invalidArgument, "at least one rule") {
                try await fixture.change {
                    _ = try $0.setRetention(of: .experiment(0), RetentionRules(), automatic: true)
                }
            }
            for subject in [RetentionSubject.experiment(77), .model("none")] {
                await expectError(.notFound) {
                    try await fixture.change {
                        _ = try $0.setRetention(
                            of: subject, RetentionRules(last: 1), automatic: false)
                    }
                }
            }
        }
    }

    @Test("versions with an alias, a stage, a hold or the tag are protected, others are not")
    func versions() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 6)
            try await fixture.change {
                try $0.setAlias("iris", "champion", 1)
                _ = try $0.transitionStage("iris", 2, to: .archived)
                _ = try $0.placeHold(.of(3), reason: "audit")
                _ = try $0.updateModelVersion(
                    "iris", 4, tags: TagChanges(set: [Tag(key: "linaje.keep", value: "")]))
                _ = try $0.updateModelVersion(
                    "iris", 5, tags: TagChanges(set: [Tag(key: "linaje.keep", value: "false")]))
            }
            let found = try await items(fixture, of: .model("iris"))
            let protections = (1...6).map { found["models:/iris/\($0)"]?.protection }
            #expect(
                protections == [
                    "alias champion", "stage Archived", "held: audit", "tag linaje.keep", nil, nil,
                ])

            // What is protected at the last moment stays.
            let all = found.values.sorted { $0.name < $1.name }.map {
                (item: $0, bytes: UInt64(10))
            }
            let plan = plan
            let stayed = try await fixture.change {
                try $0.letGo(all, of: .model("iris"), plan: plan)
            }
            #expect(stayed.count == 4 && stayed["models:/iris/3"] == "held: audit", "\(stayed)")
            #expect(try await items(fixture, of: .model("iris")).count == 4)
            #expect(
                try await fixture.operations(model: "iris", version: 6)
                    == ["version.create 6", "retention.free 6", "version.delete 6"])
            let again = try await fixture.change {
                try $0.letGo(all, of: .model("iris"), plan: plan)
            }
            #expect(again["models:/iris/6"] == "changed meanwhile")
        }
    }

    @Test("a version goes with what it was registered from, but for what another version needs")
    func sources() async throws {
        try await CatalogFixture.with { fixture in
            let run = RunID.of(1)
            let tree = SHA256Digest.of(1)
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: run, experimentID: 0))
                try catalog.mountTree(run, path: TreePath("model"), tree: tree, size: 10, files: 1)
                try catalog.mountTree(run, path: TreePath("plots"), tree: .of(2), size: 5, files: 1)
                let logged = try catalog.createLoggedModel(
                    NewLoggedModel(
                        id: .of(1), experimentID: 0, runID: run, name: "model", tree: tree, size: 10
                    ))
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: "iris", createModel: true, tree: tree, size: 10,
                        source: "models:/\(logged.id)", runID: run, loggedModelID: logged.id))
            }
            let subject = RetentionSubject.model("iris")
            var found = try #require(try await items(fixture, of: subject)["models:/iris/1"])
            #expect(found.protection == "its run is RUNNING")
            try await fixture.change { _ = try $0.updateRun(run, RunUpdate(status: .finished)) }
            found = try #require(try await items(fixture, of: subject)["models:/iris/1"])
            #expect(found.protection == nil && found.versions == 1)
            #expect(
                found.sources.map(\.place) == [
                    .loggedModel(.of(1)), .mount(run, position: 1, path: "model"),
                ])
            let now = fixture.clock.now()
            let going = found
            let need = try await fixture.read {
                try $0.otherNeed(of: tree, without: going.parts, now: now)
            }
            #expect(need == "run \(run), path model", "the run still has it")
            #expect(
                try await fixture.read {
                    try $0.otherNeed(of: tree, without: going.parts + going.sources, now: now)
                } == nil)
            #expect(
                try await items(fixture, of: .experiment(0)).values.map(\.protection)
                    == ["registered as a version of iris"])
            let plan = plan
            try await fixture.change {
                _ = try $0.letGo([(item: going, bytes: 10)], of: subject, plan: plan)
            }
            #expect(try await fixture.read { try !$0.isContentNeeded(tree, now: now) })
            #expect(try await fixture.read { try $0.isContentNeeded(.of(2), now: now) })
            let logged = try await fixture.read { try $0.loggedModel(.of(1)) }
            #expect(logged.status == .released && logged.tree == nil)
            #expect(logged.statusMessage.contains("tree:sha256:\(tree)"))
            // Nobody else sets that, and content makes it whole again.
            await expectError(.invalidArgument, "RELEASED") {
                try await fixture.change {
                    _ = try $0.createLoggedModel(
                        NewLoggedModel(id: .of(2), experimentID: 0, name: "other"))
                    _ = try $0.updateLoggedModel(.of(2), LoggedModelUpdate(status: .released))
                }
            }
            try await fixture.change {
                _ = try $0.updateLoggedModel(.of(1), LoggedModelUpdate(tree: tree))
            }
            #expect(try await fixture.read { try $0.loggedModel(.of(1)).status } == .ready)
        }
    }

    @Test(
        "checkpoints are logged models with their mounts, and folders that are named after a step")
    func checkpoints() async throws {
        try await CatalogFixture.with { fixture in
            let (run, open, deleted) = (RunID.of(1), RunID.of(2), RunID.of(3))
            try await fixture.change { catalog in
                for id in [run, open, deleted] {
                    _ = try catalog.createRun(NewRun(id: id, experimentID: 0))
                    for (number, path) in ["checkpoint-1/a", "checkpoint-1/b", "plots"].enumerated()
                    {
                        try catalog.mountTree(
                            id, path: TreePath(path), tree: .of(number), size: 10, files: 1)
                    }
                }
                try catalog.mountTree(run, path: TreePath("m"), tree: .of(9), size: 7, files: 1)
                _ = try catalog.createLoggedModel(
                    NewLoggedModel(
                        id: .of(1), experimentID: 0, runID: run, name: "m", tree: .of(9), size: 7,
                        step: 50))
                for id in [run, deleted] {
                    _ = try catalog.updateRun(id, RunUpdate(status: .finished))
                }
                _ = try catalog.updateRun(deleted, RunUpdate(lifecycle: .deleted))
            }
            let found = try await items(fixture, of: .experiment(0))
            #expect(
                Set(found.keys) == [
                    "runs:/\(run)/checkpoint-1", "runs:/\(open)/checkpoint-1",
                    "models:/\(LoggedModelID.of(1))",
                ])
            let folder = try #require(found["runs:/\(run)/checkpoint-1"])
            #expect(folder.size == 20 && folder.step == 1 && folder.metricStep == 1)
            #expect(folder.protection == nil)
            #expect(found["runs:/\(open)/checkpoint-1"]?.protection == "its run is RUNNING")
            let model = try #require(found["models:/\(LoggedModelID.of(1))"])
            #expect(model.size == 7 && model.parts.count == 2 && model.metricStep == 50)

            // A run that goes on reads it.
            try await fixture.change {
                var additions = RunAdditions()
                additions.modelInputs = [
                    ModelLink(loggedModelID: .of(1), uri: "models:/\(LoggedModelID.of(1))")
                ]
                try $0.logRun(open, additions)
            }
            #expect(
                try await items(fixture, of: .experiment(0))["models:/\(LoggedModelID.of(1))"]?
                    .protection == "a run that goes on reads it")
            let plan = plan
            let stayed = try await fixture.change {
                try $0.letGo(
                    [(item: folder, bytes: 20), (item: model, bytes: 7)], of: .experiment(0),
                    plan: plan)
            }
            #expect(stayed == ["models:/\(LoggedModelID.of(1))": "a run that goes on reads it"])
            let paths = try await fixture.read { try $0.mounts(run).map(\.path?.text) }
            #expect(paths == ["plots", "m"])
        }
    }
}
