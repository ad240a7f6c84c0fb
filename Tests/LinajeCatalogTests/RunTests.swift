import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct RunTests {
    @Test("a run comes back with everything that was logged")
    func roundTrip() async throws {
        try await CatalogFixture.with { fixture in
            let provenance = Self.provenance
            let digest = try ContentDigest(
                algorithm: "sha256", value: SHA256Digest.of(1).bytes)
            let md5 = try ContentDigest(algorithm: "md5", value: Array(repeating: 5, count: 16))
            let dataset = DatasetInput(
                name: "iris.csv", digests: [digest, md5], clientDigest: "abc",
                sourceType: "file", source: "/data/iris.csv", schema: "{}", profile: "{}",
                context: "training", dvcPointer: "outs:", size: 150,
                tags: [Tag(key: "k", value: "v")])
            let link = ModelLink(
                loggedModelID: .of(3), uri: "models:/base/1", step: -4, role: "derived_from")
            let params = [
                Param(key: "a", value: .string("")), Param(key: "b", value: .int(.min)),
                Param(key: "c", value: .double(0.1)), Param(key: "d", value: .double(.nan)),
                Param(key: "e", value: .double(-.infinity)), Param(key: "f", value: .bool(true)),
                Param(key: "g", value: .double(.leastNonzeroMagnitude)),
            ]
            let run = try await fixture.change { catalog in
                _ = try catalog.createRun(
                    NewRun(id: .of(1), experimentID: 0, user: "ana", params: [params[0]]))
                _ = try catalog.createRun(
                    NewRun(
                        id: .of(2), experimentID: 0, name: "child", parentID: .of(1),
                        startedAt: Timestamp(microseconds: 5),
                        tags: [Tag(key: "k", value: "v")], params: params))
                try catalog.logRun(
                    .of(2),
                    RunAdditions(
                        datasets: [dataset, dataset], modelInputs: [link, link],
                        modelOutputs: [ModelLink(loggedModelID: .of(4))],
                        provenance: provenance))
                return try catalog.reader.run(.of(2))
            }
            #expect(run.params == params)
            #expect(run.tags == [Tag(key: "k", value: "v")])
            #expect(run.datasets == [dataset])
            #expect(run.modelInputs == [link])
            #expect(run.modelOutputs == [ModelLink(loggedModelID: .of(4))])
            #expect(run.provenance == provenance)
            #expect(run.parentID == .of(1))
            #expect(run.startedAt == Timestamp(microseconds: 5))
            #expect(run.principal == "uid:1000")
            let first = try await fixture.read { try $0.run(.of(1)) }
            #expect(first.name == "run-00000000")
            #expect(first.startedAt == fixture.clock.now())
            #expect(first.user == "ana")
            #expect(first.provenance == nil)
        }
    }

    @Test("the same id again answers its creator, and nobody else")
    func sameID() async throws {
        try await CatalogFixture.with { fixture in
            let run = try await fixture.change {
                try $0.createRun(NewRun(id: .of(1), experimentID: 0, name: "a"))
            }
            let again = try await fixture.change {
                try $0.createRun(NewRun(id: .of(1), experimentID: 0, name: "b"))
            }
            #expect(again == run)
            await expectError(.alreadyExists, "uid:1000") {
                try await fixture.change(by: CatalogFixture.bob) {
                    _ = try $0.createRun(NewRun(id: .of(1), experimentID: 0))
                }
            }
            try await fixture.change { _ = try $0.createExperiment(name: "x") }
            await expectError(.alreadyExists) {
                try await fixture.change {
                    _ = try $0.createRun(NewRun(id: .of(1), experimentID: 1))
                }
            }
        }
    }

    @Test("a run may have neither a parent that does not exist nor itself")
    func parents() async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.notFound, "\(RunID.of(8))") {
                try await fixture.change {
                    _ = try $0.createRun(NewRun(experimentID: 0, parentID: .of(8)))
                }
            }
            await expectError(.invalidArgument, "own parent") {
                try await fixture.change {
                    _ = try $0.createRun(
                        NewRun(id: .of(1), experimentID: 0, parentID: .of(1)))
                }
            }
        }
    }

    @Test("a param is written once: the same value is accepted, another names key and both values")
    func paramConflict() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                let rate = Param(key: "lr", value: .double(0.1))
                let none = Param(key: "nan", value: .double(.nan))
                try catalog.logRun(.of(1), RunAdditions(params: [rate, rate, none, none]))
            }
            for other in [ParamValue.double(0.2), .string("0.1"), .int(0), .bool(false)] {
                await expectError(.conflict, "\"lr\"", "0.1") {
                    try await fixture.change {
                        try $0.logRun(
                            .of(1),
                            RunAdditions(params: [
                                Param(key: "new", value: .int(1)), Param(key: "lr", value: other),
                            ]))
                    }
                }
            }
            // All or nothing: "new" stood before the param that was refused.
            #expect(
                try await fixture.read { try $0.run(.of(1)).params.map(\.key) } == ["lr", "nan"])
            await expectError(.limitExceeded, "6000") {
                try await fixture.change {
                    try $0.logRun(
                        .of(1),
                        RunAdditions(params: [
                            Param(key: "x", value: .string(String(repeating: "a", count: 6_001)))
                        ]))
                }
            }
        }
    }

    @Test("a run ends, is corrected and resumed; a run that has ended still takes params")
    func statusChanges() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(
                    NewRun(
                        id: .of(1), experimentID: 0, lease: .process(pid: 7, start: .max),
                        status: .scheduled))
            }
            fixture.clock.advance(.seconds(5))
            let ended = try await fixture.change {
                try $0.updateRun(.of(1), RunUpdate(status: .finished))
            }
            #expect(ended.endedAt == fixture.clock.now())
            #expect(ended.endedCause == "finished by its owner")
            #expect(ended.lease == .detached)
            try await fixture.change {
                try $0.logRun(
                    .of(1), RunAdditions(params: [Param(key: "late", value: .int(1))]))
            }
            let corrected = try await fixture.change {
                try $0.updateRun(
                    .of(1),
                    RunUpdate(endedAt: Timestamp(microseconds: 9), endedCause: "by hand"))
            }
            #expect(corrected.endedAt == Timestamp(microseconds: 9))
            #expect(corrected.endedCause == "by hand")
            let resumed = try await fixture.change {
                try $0.updateRun(.of(1), RunUpdate(status: .running))
            }
            #expect(resumed.status == .running)
            #expect(resumed.endedAt == nil)
            #expect(resumed.endedCause == "")
            await expectError(.invalidArgument, "not ended") {
                try await fixture.change {
                    _ = try $0.updateRun(
                        .of(1), RunUpdate(endedAt: Timestamp(microseconds: 9)))
                }
            }
            await expectError(.invalidArgument, "STALLED") {
                try await fixture.change {
                    _ = try $0.updateRun(.of(1), RunUpdate(status: .stalled))
                }
            }
        }
    }

    @Test("a deleted run refuses additions, trees and changes until it is restored")
    func deletedRun() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(NewRun(id: .of(1), experimentID: 0))
                _ = try $0.updateRun(.of(1), RunUpdate(lifecycle: .deleted))
            }
            let refused: [@Sendable (CatalogTransaction) throws -> Void] = [
                { try $0.logRun(.of(1), RunAdditions()) },
                { try $0.mountTree(.of(1), path: nil, tree: .of(1), size: 1, files: 1) },
                { _ = try $0.updateRun(.of(1), RunUpdate(status: .finished)) },
                { _ = try $0.attach(.of(1), .detached) },
                { try $0.heartbeat(.of(1)) },
            ]
            for change in refused {
                await expectError(.runNotActive, "deleted") { try await fixture.change(change) }
            }
            let restored = try await fixture.change {
                try $0.updateRun(.of(1), RunUpdate(status: .failed, lifecycle: .active))
            }
            #expect(restored.lifecycle == .active)
            #expect(restored.status == .failed)
        }
    }

    @Test("runs that do not exist are named by every call")
    func notFound() async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.notFound, "\(RunID.of(1))") {
                _ = try await fixture.read { try $0.run(.of(1)) }
            }
            let state = try await fixture.read { try $0.runStatus(.of(1)) }
            #expect(state == nil)
            let refused: [@Sendable (CatalogTransaction) throws -> Void] = [
                { try $0.logRun(.of(1), RunAdditions()) },
                { try $0.mountTree(.of(1), path: nil, tree: .of(1), size: 1, files: 1) },
                { _ = try $0.updateRun(.of(1), RunUpdate()) },
                { _ = try $0.attach(.of(1), .detached) },
                { try $0.heartbeat(.of(1)) },
            ]
            for change in refused {
                await expectError(.notFound, "\(RunID.of(1))") {
                    try await fixture.change(change)
                }
            }
        }
    }

    @Test("trees are mounted in the order of their commits")
    func mounts() async throws {
        try await CatalogFixture.with { fixture in
            let path = try TreePath("model/data")
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                for number in [3, 1, 2] {
                    try catalog.mountTree(
                        .of(1), path: number == 1 ? nil : path, tree: .of(number), size: 5,
                        files: 2)
                }
            }
            let mounts = try await fixture.read { try $0.mounts(.of(1)) }
            #expect(mounts.map(\.tree) == [.of(3), .of(1), .of(2)])
            #expect(mounts.map(\.path) == [path, nil, path])
            #expect(mounts[0].size == 5)
            #expect(mounts[0].files == 2)
            await expectError(.notFound) { _ = try await fixture.read { try $0.mounts(.of(2)) } }
        }
    }

    @Test("a search filters by experiment, status, tags, lifecycle and parent")
    func search() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createExperiment(name: "x")
                for number in UInt64(1)...6 {
                    _ = try catalog.createRun(
                        NewRun(
                            id: .of(number), experimentID: number <= 3 ? 0 : 1,
                            parentID: number == 6 ? .of(1) : nil,
                            startedAt: Timestamp(microseconds: Int64(number)),
                            tags: [Tag(key: "odd", value: "\(number % 2 == 1)")]))
                }
                _ = try catalog.updateRun(.of(2), RunUpdate(lifecycle: .deleted))
                _ = try catalog.updateRun(.of(3), RunUpdate(status: .failed))
            }
            let page = try Page()
            let queries: [(RunQuery, [UInt64])] = [
                (RunQuery(page: page), [6, 5, 4, 3, 1]),
                (RunQuery(lifecycle: nil, page: page), [6, 5, 4, 3, 2, 1]),
                (RunQuery(lifecycle: .deleted, page: page), [2]),
                (RunQuery(experimentIDs: [0], page: page), [3, 1]),
                (RunQuery(experimentIDs: [0, 1], page: page), [6, 5, 4, 3, 1]),
                (RunQuery(statuses: [.failed, .killed], page: page), [3]),
                (RunQuery(tags: [Tag(key: "odd", value: "true")], page: page), [5, 3, 1]),
                (RunQuery(tags: [Tag(key: "odd", value: "no")], page: page), []),
                (RunQuery(parentID: .of(1), page: page), [6]),
            ]
            for (query, expected) in queries {
                let found = try await fixture.read { try $0.runs(query) }
                #expect(found.elements.map(\.id) == expected.map(RunID.of), "\(query)")
                #expect(found.elements.allSatisfy { !$0.tags.isEmpty })
            }
        }
    }

    static var provenance: Provenance {
        var provenance = Provenance()
        provenance.git = GitState(commit: String(repeating: "a", count: 40), isDirty: true)
        provenance.argv = ["train.py", "--lr", "0.1", "\0 NUL and é"]
        provenance.packages = ["numpy": "2.0", "scikit-learn": "1.5"]
        provenance.memoryBytes = .max
        provenance.environment = ["CUDA_VISIBLE_DEVICES": "0"]
        return provenance
    }
}
