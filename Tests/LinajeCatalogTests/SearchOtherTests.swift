import LinajeCatalog
import LinajeDomain
import Testing

@Suite("Search of everything but runs")
struct SearchOtherTests {
    @Test("experiments are found by each of their fields")
    func experiments() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createExperiment(
                    name: "fraud", tags: [Tag(key: "team", value: "risk")])
            }
            fixture.clock.advance(.seconds(60))
            try await fixture.change { catalog in
                _ = try catalog.createExperiment(name: "Fraud-2")
            }
            for (filter, order, names) in [
                ("", [], ["Fraud-2", "fraud", "Default"]),
                ("", ["name"], ["Default", "Fraud-2", "fraud"]),
                ("", ["tags.team", "name DESC"], ["fraud", "Fraud-2", "Default"]),
                ("name ILIKE 'FRAUD%'", [], ["Fraud-2", "fraud"]),
                ("name LIKE 'fraud%'", [], ["fraud"]),
                ("tags.team = 'risk' OR experiment_id = 0", [], ["fraud", "Default"]),
                ("NOT tags.team IS NULL", [], ["fraud"]),
                ("creation_time > 1700000000000", [], ["Fraud-2"]),
                ("last_update_time <= 1700000000000 AND experiment_id != 0", [], ["fraud"]),
                ("experiment_id IN ('0', '1')", ["experiment_id"], ["Default", "fraud"]),
                ("lifecycle = 'active' AND name > 'a'", [], ["fraud"]),
            ] as [(String, [String], [String])] {
                let query = ExperimentQuery(
                    filter: try Filter.parse(filter, for: .experiments),
                    order: try SortKey.parse(order, for: .experiments), page: try Page())
                let found = try await fixture.store.search(query)
                #expect(found.elements.map(\.name) == names, "\(filter)")
                let count = try await fixture.store.search(query, .count).facts.count
                #expect(count == UInt64(names.count), "\(filter)")
            }
        }
    }

    @Test("registered models are found by each of their fields")
    func registeredModels() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                for name in ["b", "a", "c"] {
                    _ = try catalog.createRegisteredModel(
                        name: name, description: "model \(name)",
                        tags: name == "c"
                            ? [Tag(key: "mlflow.prompt.is_prompt", value: "true")] : [])
                }
            }
            fixture.clock.advance(.seconds(60))
            try await fixture.change { catalog in
                _ = try catalog.updateRegisteredModel(
                    "b", newName: nil, description: "new", tags: TagChanges())
            }
            for (filter, order, names) in [
                ("", [], ["a", "b", "c"]), ("", ["name DESC"], ["c", "b", "a"]),
                ("", ["timestamp DESC", "name"], ["b", "a", "c"]),
                ("name != 'b'", [], ["a", "c"]), ("name IN ('a', 'x')", [], ["a"]),
                ("tags.`mlflow.prompt.is_prompt` = 'true'", [], ["c"]),
                ("NOT tags.`mlflow.prompt.is_prompt` = 'true'", [], ["a", "b"]),
                ("tags.`mlflow.prompt.is_prompt` != 'true'", [], []),
                ("description LIKE 'model %'", [], ["a", "c"]),
                ("last_updated_timestamp > 1700000000000", [], ["b"]),
            ] as [(String, [String], [String])] {
                let query = RegisteredModelQuery(
                    filter: try Filter.parse(filter, for: .registeredModels),
                    order: try SortKey.parse(order, for: .registeredModels), page: try Page())
                let found = try await fixture.store.search(query)
                #expect(found.elements.map(\.name) == names, "\(filter)")
                let count = try await fixture.store.search(query, .count).facts.count
                #expect(count == UInt64(names.count), "\(filter)")
            }
        }
    }

    @Test("model versions are found by each of their fields, across models")
    func modelVersions() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                for (name, run) in [("a", RunID.of(1)), ("b", nil), ("a", nil)] {
                    _ = try catalog.createModelVersion(
                        NewVersion(
                            name: name, createModel: true, tree: .of(1), size: 10,
                            source: "s3://\(name)", runID: run))
                }
                _ = try catalog.transitionStage(
                    "a", 1, to: .production, archiveExisting: false, comment: "")
            }
            for (filter, order, names) in [
                ("", [], ["a2", "b1", "a1"]),
                ("", ["name", "version_number"], ["a1", "a2", "b1"]),
                ("", ["run_id", "name"], ["a1", "a2", "b1"]),
                ("name = 'a'", [], ["a2", "a1"]), ("name != 'a'", [], ["b1"]),
                ("NOT name LIKE 'a%'", [], ["b1"]), ("version_number = 2", [], ["a2"]),
                ("version > 1.5", [], ["a2"]), ("run_id = '\(RunID.of(1))'", [], ["a1"]),
                ("run_id IN ('\(RunID.of(1))')", [], ["a1"]), ("run_id IS NULL", [], ["a2", "b1"]),
                ("source_path LIKE 's3://b%'", [], ["b1"]), ("stage = 'Production'", [], ["a1"]),
                ("size > 10", [], []),
                ("principal = 'uid:1000'", ["name DESC"], ["b1", "a2", "a1"]),
            ] as [(String, [String], [String])] {
                let query = ModelVersionQuery(
                    filter: try Filter.parse(filter, for: .modelVersions),
                    order: try SortKey.parse(order, for: .modelVersions), page: try Page())
                let found = try await fixture.store.search(query)
                #expect(found.elements.map { "\($0.name)\($0.version)" } == names, "\(filter)")
                let count = try await fixture.store.search(query, .count).facts.count
                #expect(count == UInt64(names.count), "\(filter)")
            }
        }
    }

    @Test("logged models and data sets are found by each of their fields")
    func loggedModelsAndDatasets() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change { catalog in
                _ = try catalog.createRun(NewRun(id: .of(1), experimentID: 0))
                for number in UInt64(1)...3 {
                    _ = try catalog.createLoggedModel(
                        NewLoggedModel(
                            id: .of(number), experimentID: 0, runID: number == 2 ? .of(1) : nil,
                            name: "m\(number)", modelType: number == 3 ? "Agent" : "",
                            params: [Param(key: "depth", value: .int(Int64(number)))]))
                }
                for (number, value) in [(UInt64(1), 0.5), (2, .nan), (1, 0.75)] {
                    let step: Int64 = value == 0.75 ? 1 : 2
                    try catalog.index(
                        OwnedMetrics(
                            owner: .model(.of(number)),
                            metrics: [RunMetric(key: "auc", value: value, step: step, time: 0)],
                            isWhole: true))
                }
                try catalog.logRun(
                    .of(1),
                    RunAdditions(datasets: [
                        DatasetInput(name: "d1", context: "train", size: 5),
                        DatasetInput(
                            name: "d2", clientDigest: "abc", tags: [Tag(key: "k", value: "v")]),
                    ]))
            }
            for (filter, order, names) in [
                ("", ["name"], ["m1", "m2", "m3"]), ("params.depth >= 2", ["name"], ["m2", "m3"]),
                ("", ["params.depth DESC"], ["m3", "m2", "m1"]),
                // What came in last was logged at an earlier step.
                ("metrics.auc > 0.4", [], ["m1"]), ("metrics.auc > 0.6", [], []),
                ("metrics.auc = NaN", [], ["m2"]), ("metrics.auc IS NULL", [], ["m3"]),
                ("NOT metrics.auc < 1", ["name"], ["m2", "m3"]),
                ("", ["metrics.auc", "name"], ["m1", "m2", "m3"]),
                ("", ["metrics.auc DESC", "name"], ["m1", "m2", "m3"]),
                ("metrics.auc >= 0.5 AND params.depth = 1", ["name"], ["m1"]),
                ("source_run_id IS NOT NULL", [], ["m2"]), ("model_type = 'Agent'", [], ["m3"]),
                ("model_id = '\(LoggedModelID.of(1))'", [], ["m1"]),
                ("model_id LIKE 'm-%2'", [], ["m2"]), ("status = 'READY'", [], []),
            ] as [(String, [String], [String])] {
                let found = try await fixture.store.search(
                    LoggedModelQuery(
                        filter: try Filter.parse(filter, for: .loggedModels),
                        order: try SortKey.parse(order, for: .loggedModels), page: try Page()))
                #expect(found.elements.map(\.name) == names, "\(filter) by \(order)")
            }
            for (filter, names) in [
                ("", ["d2", "d1"]), ("name = 'd1'", ["d1"]), ("digest = 'abc'", ["d2"]),
                ("context LIKE 'tr%'", ["d1"]), ("size > 4", ["d1"]), ("tags.k = 'v'", ["d2"]),
                ("run_id = '\(RunID.of(1))'", ["d2", "d1"]), ("run_id = '\(RunID.of(2))'", []),
            ] as [(String, [String])] {
                let found = try await fixture.store.search(
                    DatasetQuery(
                        filter: try Filter.parse(filter, for: .datasets), page: try Page()))
                #expect(found.elements.map(\.dataset.name) == names, "\(filter)")
                #expect(found.elements.allSatisfy { $0.runID == .of(1) })
            }
        }
    }
}
