import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct LoggedModelTests {
    @Test("a logged model is PENDING without a tree and READY with one")
    func creation() async throws {
        try await CatalogFixture.with { fixture in
            let description = Self.description
            let (pending, ready) = try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                let pending = try catalog.createLoggedModel(
                    NewLoggedModel(
                        id: .of(1), experimentID: 0, runID: .of(1), name: "forest",
                        modelType: "sklearn", tags: [Tag(key: "k", value: "v")],
                        params: [Param(key: "p", value: .int(3))], step: 7))
                let ready = try catalog.createLoggedModel(
                    NewLoggedModel(
                        experimentID: 0, name: "tree", tree: .of(1), size: 99,
                        model: description))
                return (pending, ready)
            }
            #expect(pending.status == .pending)
            #expect(pending.tree == nil)
            #expect(pending.runID == .of(1))
            #expect(pending.tags == [Tag(key: "k", value: "v")])
            #expect(pending.params == [Param(key: "p", value: .int(3))])
            #expect(pending.step == 7)
            #expect(ready.status == .ready)
            #expect(ready.tree == .of(1))
            #expect(ready.size == 99)
            #expect(ready.model == description)
            let page = try await fixture.read {
                try $0.loggedModels(LoggedModelQuery(runID: .of(1), page: Page()))
            }
            #expect(page.elements == [pending])
            let all = try await fixture.read {
                try $0.loggedModels(LoggedModelQuery(experimentIDs: [0], page: Page()))
            }
            #expect(all.elements.count == 2)
            #expect(all.elements.allSatisfy { $0.model.tensors.isEmpty })
        }
    }

    @Test("READY needs a tree; a tree makes READY and cannot be changed; READY stays")
    func statusRules() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createLoggedModel(
                    NewLoggedModel(id: .of(1), experimentID: 0, name: "m"))
            }
            await expectError(.failedPrecondition, "no tree") {
                try await Self.update(fixture, LoggedModelUpdate(status: .ready))
            }
            await expectError(.invalidArgument, "READY") {
                try await Self.update(
                    fixture, LoggedModelUpdate(status: .uploadFailed, tree: .of(1)))
            }
            try await Self.update(
                fixture,
                LoggedModelUpdate(status: .uploadFailed, statusMessage: "connection lost"))
            let failed = try await fixture.read { try $0.loggedModel(.of(1)) }
            #expect(failed.status == .uploadFailed)
            #expect(failed.statusMessage == "connection lost")
            try await Self.update(
                fixture, LoggedModelUpdate(tree: .of(1), size: 5, model: Self.description))
            let ready = try await fixture.read { try $0.loggedModel(.of(1)) }
            #expect(ready.status == .ready)
            #expect(ready.statusMessage == "")
            #expect(ready.model == Self.description)
            try await Self.update(
                fixture,
                LoggedModelUpdate(
                    status: .ready, tree: .of(1), size: 5, model: Self.description))
            await expectError(.failedPrecondition, "cannot be changed") {
                try await Self.update(fixture, LoggedModelUpdate(tree: .of(2)))
            }
            await expectError(.failedPrecondition, "PENDING") {
                try await Self.update(fixture, LoggedModelUpdate(status: .pending))
            }
            #expect(try await fixture.read { try $0.loggedModel(.of(1)) } == ready)
        }
    }

    @Test("a model that a version was registered from cannot be deleted before that version")
    func deletion() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createLoggedModel(
                    NewLoggedModel(
                        id: .of(1), experimentID: 0, name: "m",
                        params: [Param(key: "p", value: .int(1))], tree: .of(1)))
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: "iris", createModel: true, tree: .of(1), size: 1,
                        source: "models:/\(LoggedModelID.of(1))", loggedModelID: .of(1)))
            }
            let model = try await fixture.read { try $0.loggedModel(.of(1)) }
            #expect(model.registrations == [VersionName(name: "iris", version: 1)])
            await expectError(.failedPrecondition, "version 1 of iris") {
                try await fixture.change { try $0.deleteLoggedModel(.of(1)) }
            }
            try await fixture.change { catalog in
                try catalog.deleteModelVersion("iris", 1)
                try catalog.deleteLoggedModel(.of(1))
            }
            await expectError(.notFound, "\(LoggedModelID.of(1))") {
                _ = try await fixture.read { try $0.loggedModel(.of(1)) }
            }
            #expect(try await fixture.count("logged_model_params") == 0)
        }
    }

    @Test("a run must exist and belong to the experiment; an id of somebody else is refused")
    func creationErrors() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createExperiment(name: "x")
                _ = try $0.createRun(NewRun(id: .of(1), experimentID: 1))
                _ = try $0.createLoggedModel(
                    NewLoggedModel(id: .of(1), experimentID: 1, runID: .of(1), name: "m"))
            }
            await expectError(.notFound, "\(RunID.of(2))") {
                try await Self.create(
                    fixture, NewLoggedModel(experimentID: 1, runID: .of(2), name: "m"))
            }
            await expectError(.invalidArgument, "experiment 1") {
                try await Self.create(
                    fixture, NewLoggedModel(experimentID: 0, runID: .of(1), name: "m"))
            }
            await expectError(.invalidArgument, "name") {
                try await Self.create(fixture, NewLoggedModel(experimentID: 0, name: "a.b"))
            }
            try await Self.create(
                fixture,
                NewLoggedModel(id: .of(1), experimentID: 1, runID: .of(1), name: "again"))
            #expect(try await fixture.read { try $0.loggedModel(.of(1)).name } == "m")
            await expectError(.alreadyExists) {
                try await Self.create(
                    fixture,
                    NewLoggedModel(id: .of(1), experimentID: 1, runID: .of(1), name: "m"),
                    by: CatalogFixture.bob)
            }
            let many = TensorDescription(name: "t", dtype: "F32", shape: [])
            await expectError(.limitExceeded, "tensors") {
                try await Self.create(
                    fixture,
                    NewLoggedModel(
                        experimentID: 0, name: "m", tree: .of(1),
                        model: ModelDescription(
                            tensors: Array(repeating: many, count: 10_001))))
            }
        }
    }

    @Test("a description that an older version stored is read")
    func olderDescription() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.create(
                fixture,
                NewLoggedModel(
                    id: .of(1), experimentID: 0, name: "m", tree: .of(1),
                    model: Self.description))
            try await fixture.sql(
                """
                UPDATE logged_models SET model = '{"findings":[],"flavors":[],"parameters":3,\
                "requirements":[],"signature":"s","tensors":[]}'
                """)
            let model = try await fixture.read { try $0.loggedModel(.of(1)).model }
            #expect(
                model
                    == ModelDescription(
                        signature: "s", tensors: Self.description.tensors, parameters: 3))
        }
    }

    static var description: ModelDescription {
        ModelDescription(
            flavors: [
                FlavorDescription(name: "sklearn", version: "1.5", facts: ["pickle": "5"])
            ],
            signature: "{\"inputs\": \"é\\u0000\"}", requirements: ["numpy==2.0"],
            tensors: [TensorDescription(name: "w", dtype: "F32", shape: [2, .max])],
            parameters: .max,
            findings: [Finding(severity: .danger, path: "m.pkl", message: "runs code")],
            files: [ModelFileDescription(path: "m.pkl", role: .weights)], memoryBytes: .max,
            license: "mit", card: ["language": "en"], verdict: .dangerous)
    }

    private static func create(
        _ fixture: CatalogFixture, _ new: NewLoggedModel,
        by principal: Principal = CatalogFixture.alice
    ) async throws {
        try await fixture.change(by: principal) { _ = try $0.createLoggedModel(new) }
    }

    private static func update(
        _ fixture: CatalogFixture, _ update: LoggedModelUpdate
    ) async throws {
        try await fixture.change { _ = try $0.updateLoggedModel(.of(1), update) }
    }
}
