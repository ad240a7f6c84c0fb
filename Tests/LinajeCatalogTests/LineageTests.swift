import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct LineageTests {
    @Test("the lineage of a derived model goes back over both runs to the data, code and system")
    func chain() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fillChain(fixture)
            let graph = try await fixture.read {
                try $0.lineage(of: .version(name: "forest", version: 1))
            }
            let version = "models:/forest/1"
            let model = "models:/\(LoggedModelID.of(2))"
            let run = "runs:/\(RunID.of(2))"
            let data = "data:sha256:\(SHA256Digest.of(50))"
            let more = "data:md5:05050505050505050505050505050505"
            // The alias has moved and the model was renamed since the run used it.
            let base = "models:/renamed/1"
            let code = "git:\(String(repeating: "a", count: 40))"
            // SHA-256 of the text that LineageFacts.environment documents, computed elsewhere.
            let place =
                "env:aedd29b2b3c695a087ddce39b6b7b3317481e37d749a178da0ff1456ad25efee"
            let parent = "runs:/\(RunID.of(3))"
            let baseModel = "models:/\(LoggedModelID.of(1))"
            let baseRun = "runs:/\(RunID.of(1))"
            #expect(graph.root == version)
            #expect(
                graph.nodes.map(\.id) == [
                    version, model, run, data, more, base, "models:/gone/7", code, place, parent,
                    baseModel, baseRun,
                ])
            #expect(
                graph.nodes.map(\.kind) == [
                    .modelVersion, .loggedModel, .run, .dataset, .dataset, .modelVersion, .model,
                    .code, .environment, .run, .loggedModel, .run,
                ])
            #expect(
                graph.edges == [
                    LineageEdge(from: version, to: model, kind: .registeredFrom),
                    LineageEdge(from: model, to: run, kind: .producedBy),
                    LineageEdge(from: run, to: data, kind: .used),
                    LineageEdge(from: run, to: more, kind: .used),
                    LineageEdge(from: run, to: base, kind: .derivedFrom),
                    LineageEdge(from: run, to: "models:/gone/7", kind: .used),
                    LineageEdge(from: run, to: code, kind: .ranCode),
                    LineageEdge(from: run, to: place, kind: .ranIn),
                    LineageEdge(from: run, to: parent, kind: .partOf),
                    LineageEdge(from: base, to: baseModel, kind: .registeredFrom),
                    LineageEdge(from: baseModel, to: baseRun, kind: .producedBy),
                    LineageEdge(from: baseRun, to: data, kind: .used),
                    LineageEdge(from: baseRun, to: code, kind: .ranCode),
                    LineageEdge(from: baseRun, to: place, kind: .ranIn),
                ])
            let facts = Dictionary(uniqueKeysWithValues: graph.nodes.map { ($0.id, $0.facts) })
            #expect(facts[code]?["branch"] == "main")
            #expect(facts[code]?["dirty"] == "true")
            #expect(facts[code]?["argv"] == "train.py --name 'it'\\''s' ''")
            #expect(facts[place]?["gpus"] == "H200 (driver 550), H200 (driver 550)")
            #expect(facts[place]?["memory_bytes"] == "1024")
            #expect(facts[data]?["context"] == "training")
            #expect(facts[version]?["tree"] == "\(SHA256Digest.of(2))")
        }
    }

    @Test("a lineage may begin at a run, a logged model, an alias; depth bounds it")
    func roots() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fillChain(fixture)
            let run = try await fixture.read { try $0.lineage(of: RunID.of(1)) }
            #expect(run.root == "runs:/\(RunID.of(1))")
            #expect(run.nodes.map(\.kind) == [.run, .dataset, .code, .environment])
            let model = try await fixture.read { try $0.lineage(of: .loggedModel(.of(1))) }
            #expect(model.nodes.count == 5)
            let counts = [1: 2, 2: 3, 3: 10, 4: 11, 5: 12, 32: 12]
            for (depth, count) in counts {
                let graph = try await fixture.read {
                    try $0.lineage(of: .version(name: "forest", version: 1), depth: depth)
                }
                #expect(graph.nodes.count == count, "depth \(depth)")
            }
            for depth in [-1, 33] {
                await expectError(.limitExceeded, "32") {
                    _ = try await fixture.read { try $0.lineage(of: RunID.of(1), depth: depth) }
                }
            }
            await expectError(.notFound) {
                _ = try await fixture.read { try $0.lineage(of: RunID.of(77)) }
            }
            await expectError(.notFound) {
                _ = try await fixture.read { try $0.lineage(of: .latest(name: "nobody")) }
            }
        }
    }

    @Test("a run that used the model it made, and runs that are each other's input, end")
    func cycles() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                for number in UInt64(1)...2 {
                    _ = try catalog.createRun(NewRun(id: .of(number), experimentID: 0))
                    _ = try catalog.createLoggedModel(
                        NewLoggedModel(
                            id: .of(number), experimentID: 0, runID: .of(number), name: "m"))
                }
                for number in UInt64(1)...2 {
                    try catalog.logRun(
                        .of(number),
                        RunAdditions(
                            modelInputs: [
                                ModelLink(loggedModelID: .of(1)), ModelLink(loggedModelID: .of(2)),
                            ]))
                }
            }
            let graph = try await fixture.read { try $0.lineage(of: RunID.of(1)) }
            #expect(graph.nodes.count == 4)
            #expect(graph.edges.count == 6)
        }
    }

    @Test("a version registered from another version leads to it, after it was deleted no longer")
    func copiedVersion() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            try await fixture.change { catalog in
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: "copy", createModel: true, tree: .of(1), size: 1,
                        source: "models:/iris/1"))
                _ = try catalog.createModelVersion(
                    NewVersion(name: "copy", tree: .of(9), size: 1, source: "models:/iris/1"))
            }
            let uri = ModelURI.version(name: "copy", version: 1)
            let graph = try await fixture.read { try $0.lineage(of: uri) }
            #expect(
                graph.edges == [
                    LineageEdge(
                        from: "models:/copy/1", to: "models:/iris/1", kind: .registeredFrom)
                ])
            // Another content than the version it names: nothing is claimed.
            let other = try await fixture.read {
                try $0.lineage(of: .version(name: "copy", version: 2))
            }
            #expect(other.edges.isEmpty)
            try await fixture.change { try $0.deleteModelVersion("iris", 1) }
            #expect(try await fixture.read { try $0.lineage(of: uri).nodes.count } == 1)
        }
    }

    @Test("a graph that would be too large ends at the bound and says so")
    func truncated() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                for part in 0..<2 {
                    try catalog.logRun(
                        .of(1),
                        RunAdditions(
                            datasets: (0..<6_000).map { DatasetInput(name: "d\(part)-\($0)") }))
                }
            }
            let graph = try await fixture.read { try $0.lineage(of: RunID.of(1)) }
            #expect(graph.nodes.count == Limits.lineageNodes)
            #expect(graph.edges.count == Limits.lineageNodes - 1)
            #expect(graph.nodes.first?.facts["truncated"]?.contains("10000") == true)
        }
    }

    /// Run 1 made logged model 1, registered as base/1; run 2, a part of run 3, derived logged model
    /// 2 from it, registered as forest/1. Then the alias moved and base was renamed.
    private static func fillChain(_ fixture: CatalogFixture) async throws {
        let data = DatasetInput(
            name: "iris",
            digests: [try ContentDigest(algorithm: "sha256", value: SHA256Digest.of(50).bytes)],
            context: "training")
        let more = DatasetInput(
            name: "more",
            digests: [try ContentDigest(algorithm: "md5", value: Array(repeating: 5, count: 16))])
        let provenance = provenance
        try await fixture.change { catalog in
            _ = try catalog.createRun(
                NewRun(id: .of(1), experimentID: 0, provenance: provenance))
            try catalog.logRun(.of(1), RunAdditions(datasets: [data]))
            try register(catalog, 1, "base")
            try catalog.setAlias("base", "champion", 1)
            _ = try catalog.createRun(NewRun(id: .of(3), experimentID: 0, name: "search"))
            _ = try catalog.createRun(
                NewRun(id: .of(2), experimentID: 0, parentID: .of(3), provenance: provenance))
            try catalog.logRun(
                .of(2),
                RunAdditions(
                    datasets: [data, more],
                    modelInputs: [
                        ModelLink(
                            loggedModelID: nil, uri: "models:/base@champion",
                            role: "derived_from"),
                        ModelLink(loggedModelID: nil, uri: "models:/gone/7"),
                    ]))
            try register(catalog, 2, "forest")
            try register(catalog, 1, "base")
            try catalog.setAlias("base", "champion", 2)
            _ = try catalog.updateRegisteredModel("base", newName: "renamed")
        }
    }

    /// Registers a logged model, which is created if it is not there.
    private static func register(
        _ catalog: CatalogTransaction, _ number: UInt64, _ name: String
    ) throws {
        _ = try catalog.createLoggedModel(
            NewLoggedModel(
                id: .of(number), experimentID: 0, runID: .of(number), name: name,
                tree: .of(Int(number)), size: 1))
        _ = try catalog.createModelVersion(
            NewVersion(
                name: name, createModel: true, tree: .of(Int(number)), size: 1,
                source: "models:/\(LoggedModelID.of(number))", runID: .of(number),
                loggedModelID: .of(number)))
    }

    private static var provenance: Provenance {
        var provenance = Provenance()
        provenance.git = GitState(
            commit: String(repeating: "a", count: 40), branch: "main", isDirty: true,
            diffArtifact: "code.patch")
        provenance.argv = ["train.py", "--name", "it's", ""]
        provenance.language = "CPython 3.11.7"
        provenance.os = "Debian 12"
        provenance.packages = ["scikit-learn": "1.5", "numpy": "2.0"]
        provenance.gpus = ["H200 (driver 550)", "H200 (driver 550)"]
        provenance.memoryBytes = 1_024
        return provenance
    }
}
