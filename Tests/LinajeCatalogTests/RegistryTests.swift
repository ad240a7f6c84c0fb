import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct RegistryTests {
    @Test("32 versions registered at the same time are numbered 1 to 32 without gaps")
    func concurrentVersions() async throws {
        try await CatalogFixture.with { fixture in
            let numbers = try await withThrowingTaskGroup(of: UInt64.self) { group in
                for number in 1...32 {
                    group.addTask {
                        try await fixture.change {
                            try $0.createModelVersion(
                                NewVersion(
                                    name: "iris", createModel: true, tree: .of(number), size: 1,
                                    source: "x")
                            ).version
                        }
                    }
                }
                var numbers: [UInt64] = []
                for try await number in group { numbers.append(number) }
                return numbers
            }
            #expect(numbers.sorted() == Array(1...32))
            #expect(try await fixture.read { try $0.verifyLedger() }.events == 33)
        }
    }

    @Test("a failed registration takes no number, a deleted version's is not used again")
    func numbers() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 2)
            await expectError(.notFound) {
                try await fixture.change {
                    _ = try $0.createModelVersion(
                        NewVersion(
                            name: "iris", tree: .of(1), size: 1, source: "x", runID: .of(1)))
                }
            }
            try await fixture.change { try $0.deleteModelVersion("iris", 2) }
            try await fixture.model("iris")
            let versions = try await fixture.read {
                try $0.modelVersions(ModelVersionQuery(name: "iris", page: Page()))
            }
            #expect(versions.elements.map(\.version) == [3, 1])
            try await fixture.change { try $0.deleteRegisteredModel("iris") }
            try await fixture.model("iris")
            #expect(try await fixture.read { try $0.modelVersion("iris", 1).tree } == .of(1))
        }
    }

    @Test("a version comes back with everything it was registered with")
    func roundTrip() async throws {
        try await CatalogFixture.with { fixture in
            let version = try await fixture.change(by: CatalogFixture.bob) { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                return try catalog.createModelVersion(
                    NewVersion(
                        name: "iris", createModel: true, tree: .of(1), size: 123,
                        source: "runs:/\(RunID.of(1))/model", runID: .of(1),
                        description: "the first", tags: [Tag(key: "k", value: "v")],
                        model: LoggedModelTests.description))
            }
            let expected = ModelVersion(
                name: "iris", version: 1, tree: .of(1), size: 123,
                source: "runs:/\(RunID.of(1))/model", runID: .of(1), description: "the first",
                createdAt: fixture.clock.now(), updatedAt: fixture.clock.now(),
                tags: [Tag(key: "k", value: "v")], model: LoggedModelTests.description,
                principal: "uid:1001", blocked: BlockedUses([.promotion]))
            #expect(version == expected)
        }
    }

    @Test("versions need their model, their run, and a logged model that is READY with that tree")
    func refusals() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createLoggedModel(
                    NewLoggedModel(id: .of(1), experimentID: 0, name: "pending"))
                _ = try $0.createLoggedModel(
                    NewLoggedModel(id: .of(2), experimentID: 0, name: "ready", tree: .of(2)))
            }
            let new = NewVersion(
                name: "iris", createModel: true, tree: .of(1), size: 1, source: "x")
            var cases: [(LinajeError.Code, NewVersion)] = []
            var other = new
            other.createModel = false
            cases.append((.notFound, other))
            other = new
            other.loggedModelID = .of(1)
            cases.append((.failedPrecondition, other))
            other.loggedModelID = .of(2)
            cases.append((.conflict, other))
            other.loggedModelID = .of(3)
            cases.append((.notFound, other))
            other = new
            other.name = "a/b"
            cases.append((.invalidArgument, other))
            other = new
            other.size = .max
            cases.append((.limitExceeded, other))
            other = new
            other.description = String(repeating: "x", count: Limits.textBytes + 1)
            cases.append((.limitExceeded, other))
            for (code, new) in cases {
                await expectError(code) {
                    try await fixture.change { _ = try $0.createModelVersion(new) }
                }
            }
            #expect(try await fixture.operations().isEmpty)
        }
    }

    @Test("a renamed model keeps versions, aliases, tags and history")
    func rename() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("old", versions: 2)
            try await fixture.model("other")
            try await fixture.change { catalog in
                _ = try catalog.updateRegisteredModel(
                    "old", tags: TagChanges(set: [Tag(key: "k", value: "v")]))
                try catalog.setAlias("old", "champion", 2)
            }
            await expectError(.alreadyExists, "other") {
                try await fixture.change {
                    _ = try $0.updateRegisteredModel("old", newName: "other")
                }
            }
            let model = try await fixture.change {
                try $0.updateRegisteredModel("old", newName: "new", description: "better")
            }
            #expect(model.name == "new")
            #expect(model.description == "better")
            #expect(model.aliases == ["champion": 2])
            #expect(model.tags == [Tag(key: "k", value: "v")])
            #expect(model.latestVersions.map(\.name) == ["new"])
            await expectError(.notFound, "\"old\"") {
                _ = try await fixture.read { try $0.registeredModel("old") }
            }
            #expect(
                try await fixture.operations(model: "new") == [
                    "model.create", "version.create 1", "version.create 2", "model.tag",
                    "alias.set 2", "model.rename", "model.update",
                ])
            // A new model under the old name does not enter the history of the renamed one.
            try await fixture.model("old")
            #expect(try await fixture.operations(model: "new").count == 7)
            #expect(try await fixture.operations(model: "new", version: 2).count == 2)
        }
    }

    @Test("names are compared by their bytes")
    func exactNames() async throws {
        try await CatalogFixture.with { fixture in
            let composed = "caf\u{e9}"
            let decomposed = "cafe\u{301}"
            for name in [composed, decomposed, "Café", "CAFÉ"] {
                try await fixture.change { _ = try $0.createRegisteredModel(name: name) }
            }
            let all = try await fixture.read {
                try $0.registeredModels(RegisteredModelQuery(page: Page()))
            }
            #expect(all.elements.count == 4)
            let some = try await fixture.read {
                try $0.registeredModels(RegisteredModelQuery(nameContains: "af", page: Page()))
            }
            #expect(some.elements.count == 3)
        }
    }

    @Test("searches find models by text and tags, versions by run, stage and tags")
    func search() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("a%b", versions: 3)
            try await fixture.model("ab")
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: "ab", tree: .of(9), size: 1, source: "x", runID: .of(1),
                        tags: [Tag(key: "k", value: "v")]))
                _ = try catalog.updateRegisteredModel(
                    "ab", tags: TagChanges(set: [Tag(key: "t", value: "1")]))
                _ = try catalog.transitionStage("a%b", 2, to: .staging)
            }
            let page = try Page()
            let models: [(RegisteredModelQuery, [String])] = [
                (RegisteredModelQuery(page: page), ["a%b", "ab"]),
                (RegisteredModelQuery(nameContains: "%", page: page), ["a%b"]),
                (RegisteredModelQuery(nameContains: "A", page: page), []),
                (RegisteredModelQuery(tags: [Tag(key: "t", value: "1")], page: page), ["ab"]),
            ]
            for (query, expected) in models {
                let found = try await fixture.read { try $0.registeredModels(query) }
                #expect(found.elements.map(\.name) == expected, "\(query)")
            }
            let versions: [(ModelVersionQuery, [UInt64])] = [
                (ModelVersionQuery(page: page), [2, 1, 3, 2, 1]),
                (ModelVersionQuery(name: "a%b", page: page), [3, 2, 1]),
                (ModelVersionQuery(name: "nobody", page: page), []),
                (ModelVersionQuery(runID: .of(1), page: page), [2]),
                (ModelVersionQuery(stages: [.staging, .archived], page: page), [2]),
                (ModelVersionQuery(tags: [Tag(key: "k", value: "v")], page: page), [2]),
            ]
            for (query, expected) in versions {
                let found = try await fixture.read { try $0.modelVersions(query) }
                #expect(found.elements.map(\.version) == expected, "\(query)")
            }
        }
    }

    @Test("deleting a model deletes everything of it except its history")
    func deletion() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 2)
            try await fixture.change { catalog in
                _ = try catalog.updateModelVersion(
                    "iris", 1, description: "d",
                    tags: TagChanges(set: [Tag(key: "k", value: "v")]))
                try catalog.setAlias("iris", "a", 1)
                try catalog.deleteRegisteredModel("iris")
            }
            for table in [
                "registered_models", "model_versions", "model_aliases", "model_version_tags",
                "registered_model_tags",
            ] {
                #expect(try await fixture.count(table) == 0, "\(table)")
            }
            #expect(
                try await fixture.operations(model: "iris") == [
                    "model.create", "version.create 1", "version.create 2", "version.update 1",
                    "version.tag 1", "alias.set 1", "alias.delete 1", "version.delete 1",
                    "version.delete 2", "model.delete",
                ])
            await expectError(.notFound, "iris") {
                try await fixture.change { try $0.deleteRegisteredModel("iris") }
            }
        }
    }

    @Test("changes that change nothing leave no event")
    func noChange() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            let tag = TagChanges(set: [Tag(key: "k", value: "v")], remove: ["none"])
            try await fixture.change { catalog in
                for _ in 1...2 {
                    _ = try catalog.updateModelVersion("iris", 1, tags: tag)
                    _ = try catalog.updateRegisteredModel("iris", newName: "iris")
                    try catalog.setAlias("iris", "a", 1)
                    try catalog.deleteAlias("iris", "b")
                }
            }
            #expect(
                try await fixture.operations() == [
                    "model.create", "version.create 1", "version.tag 1", "alias.set 1",
                ])
        }
    }
}
