import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct ExperimentTests {
    @Test("experiment 0 exists from the start and cannot be deleted or renamed")
    func defaultExperiment() async throws {
        try await CatalogFixture.with { fixture in
            let first = try await fixture.read { try $0.experiment(id: 0) }
            #expect(first.name == "Default")
            await expectError(.failedPrecondition, "Default") {
                try await fixture.change {
                    _ = try $0.updateExperiment(id: 0, lifecycle: .deleted)
                }
            }
            await expectError(.failedPrecondition, "Default") {
                try await fixture.change { _ = try $0.updateExperiment(id: 0, name: "other") }
            }
        }
    }

    @Test("a taken name is refused, or answered with when that is asked for and it is active")
    func takenName() async throws {
        try await CatalogFixture.with { fixture in
            let made = try await fixture.change {
                try $0.createExperiment(name: "iris", tags: [Tag(key: "team", value: "a")])
            }
            #expect(made.id == 1)
            #expect(made.tags == [Tag(key: "team", value: "a")])
            await expectError(.alreadyExists, "iris", "1") {
                try await fixture.change { _ = try $0.createExperiment(name: "iris") }
            }
            let again = try await fixture.change {
                try $0.createExperiment(name: "iris", getExisting: true)
            }
            #expect(again == made)
            try await fixture.change { _ = try $0.updateExperiment(id: 1, lifecycle: .deleted) }
            await expectError(.alreadyExists, "restore") {
                try await fixture.change {
                    _ = try $0.createExperiment(name: "iris", getExisting: true)
                }
            }
        }
    }

    @Test("deleting an experiment deletes its runs, restoring it restores those and no others")
    func cascade() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createExperiment(name: "iris")
                for number in 1...2 {
                    _ = try catalog.createRun(
                        NewRun(id: .of(UInt64(number)), experimentID: 1))
                }
                _ = try catalog.updateRun(.of(2), RunUpdate(lifecycle: .deleted))
                _ = try catalog.updateExperiment(id: 1, lifecycle: .deleted)
            }
            #expect(try await fixture.read { try $0.run(.of(1)).lifecycle } == .deleted)
            await expectError(.failedPrecondition, "experiment 1 is deleted") {
                try await fixture.change { _ = try $0.createRun(NewRun(experimentID: 1)) }
            }
            await expectError(.failedPrecondition, "experiment 1 is deleted") {
                try await fixture.change {
                    _ = try $0.updateRun(.of(1), RunUpdate(lifecycle: .active))
                }
            }
            await expectError(.failedPrecondition, "restore") {
                try await fixture.change { _ = try $0.updateExperiment(id: 1, name: "b") }
            }
            try await fixture.change {
                _ = try $0.updateExperiment(id: 1, name: "b", lifecycle: .active)
            }
            #expect(try await fixture.read { try $0.run(.of(1)).lifecycle } == .active)
            #expect(try await fixture.read { try $0.run(.of(2)).lifecycle } == .deleted)
            #expect(try await fixture.read { try $0.experiment(named: "b").id } == 1)
        }
    }

    @Test("tags are set, replaced and removed together, and sorted by key")
    func tags() async throws {
        try await CatalogFixture.with { fixture in
            let changed = try await fixture.change { catalog in
                _ = try catalog.createExperiment(
                    name: "iris", tags: [Tag(key: "b", value: "1"), Tag(key: "c", value: "1")])
                return try catalog.updateExperiment(
                    id: 1,
                    tags: TagChanges(
                        set: [Tag(key: "b", value: "2"), Tag(key: "a", value: "3")],
                        remove: ["c", "not there"]))
            }
            #expect(changed.tags == [Tag(key: "a", value: "3"), Tag(key: "b", value: "2")])
            await expectError(.invalidArgument, "\"x\"") {
                try await fixture.change {
                    _ = try $0.updateExperiment(
                        id: 1,
                        tags: TagChanges(set: [Tag(key: "x", value: "")], remove: ["x"]))
                }
            }
            await expectError(.invalidArgument, "NUL") {
                try await fixture.change {
                    _ = try $0.updateExperiment(
                        id: 1, tags: TagChanges(set: [Tag(key: "x", value: "a\0b")]))
                }
            }
            #expect(try await fixture.read { try $0.experiment(id: 1) } == changed)
        }
    }

    @Test("experiments that do not exist are not found, by id and by name")
    func notFound() async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.notFound, "experiment 9") {
                _ = try await fixture.read { try $0.experiment(id: 9) }
            }
            await expectError(.notFound, "\"x\"") {
                _ = try await fixture.read { try $0.experiment(named: "x") }
            }
            await expectError(.notFound, "experiment 9") {
                try await fixture.change { _ = try $0.createRun(NewRun(experimentID: 9)) }
            }
        }
    }
}
