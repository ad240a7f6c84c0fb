import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("Differences of models")
struct ModelDiffTests {
    private static let time = Timestamp(microseconds: 1_700_000_000_000_000)

    private func digest(_ number: UInt8) throws -> SHA256Digest {
        try SHA256Digest([UInt8](repeating: number, count: 32), noun: "digest")
    }

    private func file(_ path: String, _ number: UInt8) throws -> TreeEntry {
        TreeEntry(path: try TreePath(path), mode: .file, size: 10, sha256: try digest(number))
    }

    private func section(
        _ diff: ModelDiff, _ part: ModelDiff.Part
    ) -> [ModelDiff.Entry] {
        diff.sections.first { $0.part == part }?.entries ?? []
    }

    private func run(_ change: (inout Run) -> Void) throws -> Run {
        var run = Run(
            id: RunID(bytes: Bytes16(high: 1, low: 2)), experimentID: 0, name: "r",
            startedAt: Self.time)
        var made = Provenance()
        made.git = GitState(commit: "aaaa", branch: "main")
        made.packages = ["numpy": "2.1.0", "torch": "2.9.0"]
        made.gpus = ["H100"]
        run.provenance = made
        change(&run)
        return run
    }

    @Test("a model does not differ from itself, and that is said")
    func same() throws {
        let side = ModelSide(
            uri: "models:/a/1", tree: try digest(1),
            model: ModelDescription(requirements: ["numpy"], verdict: .safe),
            files: [try file("w", 1)], run: try run { _ in })
        let diff = ModelDiff(side, side)
        #expect(diff.isSame && !diff.isBreaking && diff.sections.isEmpty && diff.notes.isEmpty)
        let lines = diff.lines(TextStyle(isColored: false), before: "a", after: "b")
        #expect(lines == ["--- a", "+++ b", "nothing differs"])
    }

    /// A side of which something is known in each part.
    private func full() throws -> ModelSide {
        ModelSide(
            uri: "models:/a/1", tree: try digest(1),
            model: ModelDescription(
                flavors: [FlavorDescription(name: "sklearn", version: "1.7")],
                signature: "{\"inputs\":[{\"type\":\"long\",\"name\":\"x\"}]}",
                requirements: ["numpy==2.1.0", "Scikit_Learn==1.7 # pinned"],
                tensors: [TensorDescription(name: "w", dtype: "F32", shape: [2, 3])],
                license: "mit", card: ["base": "x"], verdict: .safe),
            tags: [Tag(key: "team", value: "vision")],
            params: [Param(key: "lr", value: .double(0.1)), Param(key: "n", value: .int(3))],
            files: [try file("same", 1), try file("gone", 2), try file("other", 3)],
            run: try run { _ in })
    }

    @Test("each part says what was added, removed and changed, the most important part first")
    func parts() throws {
        var before = try full()
        var after = before
        after.uri = "models:/a/2"
        after.tree = try digest(2)
        after.model.flavors[0].version = "1.8"
        after.model.signature = "{\"inputs\":[{\"type\":\"integer\",\"name\":\"x\"}]}"
        after.model.requirements = ["scikit-learn==1.8", "torch"]
        after.model.tensors[0].shape = [2, 4]
        after.model.license = "apache-2.0"
        after.model.card = [:]
        after.model.verdict = .unknown
        after.model.findings = [
            Finding(severity: .warning, path: "m.pkl", message: "takes acme.Forest")
        ]
        after.tags = []
        after.params = [
            Param(key: "lr", value: .double(0.2)), Param(key: "n", value: .string("3")),
        ]
        after.files = [try file("same", 1), try file("moved", 2), try file("other", 4)]
        after.run = try run { run in
            run.provenance?.git?.isDirty = true
            run.provenance?.packages["torch"] = "2.10.0"
            run.provenance?.gpus = ["H200"]
        }
        before.description = "first"
        let diff = ModelDiff(before, after)
        #expect(
            diff.sections.map(\.part) == [
                .signature, .verdict, .tensors, .files, .params, .code, .dependencies,
                .environment, .flavors, .license, .card, .tags,
            ])
        #expect(diff.isBreaking)
        #expect(
            section(diff, .verdict) == [
                .changed("verdict", "safe", "unknown"),
                .added("m.pkl: takes acme.Forest", "warning"),
            ])
        #expect(section(diff, .tensors) == [.changed("w", "F32 (2, 3)", "F32 (2, 4)")])
        #expect(section(diff, .files).map(\.name) == ["gone", "moved", "other"])
        #expect(section(diff, .files)[1].note == "same content as gone before")
        #expect(
            section(diff, .params) == [.changed("lr", "0.1", "0.2"), .changed("n", "3", "3")])
        #expect(
            section(diff, .code) == [.changed("work tree", "as committed", "changed")])
        #expect(
            section(diff, .dependencies) == [
                .removed("numpy", "==2.1.0"), .changed("scikit-learn", "==1.7", "==1.8"),
                .added("torch", "any version"),
            ])
        #expect(
            section(diff, .environment) == [
                .changed("GPUs", "H100", "H200"),
                .changed("package torch", "2.9.0", "2.10.0"),
            ])
        #expect(
            section(diff, .tags) == [
                .removed("description", "first"), .removed("team", "vision"),
            ])
    }

    @Test("metrics are compared by their last values, NaN and all, with the difference")
    func metrics() throws {
        func summary(_ key: String, _ value: Double, on data: String = "") -> MetricSummary {
            MetricSummary(
                series: MetricSeries(key: key, datasetName: data),
                point: MetricPoint(step: 1, time: Self.time.microseconds, value: value))
        }
        let found = ModelDiff.metrics(
            [
                summary("auc", 0.8), summary("nan", .nan), summary("old", 1), summary("zero", 0),
                summary("auc", 0.5, on: "test"),
            ],
            [
                summary("auc", 0.82), summary("nan", .nan), summary("new", 2), summary("zero", 1),
                summary("auc", 0.5, on: "test"),
            ])
        #expect(
            found == [
                .changed("auc", "0.8", "0.82", note: "+0.02 (+2.5 %)"), .added("new", "2.0"),
                .removed("old", "1.0"), .changed("zero", "0.0", "1.0", note: "+1"),
            ])
    }

    @Test("data sets are the same when a digest of one kind is, whatever else is said of them")
    func data() throws {
        func input(_ sha: UInt8?, source: String) throws -> DatasetInput {
            let digests = try sha.map {
                [
                    try ContentDigest(
                        algorithm: "sha256", value: [UInt8](repeating: $0, count: 32))
                ]
            }
            return DatasetInput(name: "d", digests: digests ?? [], source: source, context: "train")
        }
        func differs(_ one: DatasetInput, _ other: DatasetInput) -> Bool {
            !ModelDiff.data([one], [other]).isEmpty
        }
        #expect(!differs(try input(1, source: "a"), try input(1, source: "b")))
        #expect(differs(try input(1, source: "a"), try input(2, source: "a")))
        #expect(differs(try input(nil, source: "a"), try input(nil, source: "b")))
        #expect(!differs(try input(nil, source: "a"), try input(1, source: "a")))
        #expect(ModelDiff.data([try input(1, source: "a")], []).map(\.name) == ["d (train)"])
    }

    @Test("changes of two dirty work trees on one commit cannot be told to be none")
    func dirty() throws {
        let dirty = try run { $0.provenance?.git?.isDirty = true }
        var other = dirty
        other.id = RunID(bytes: Bytes16(high: 1, low: 3))
        #expect(ModelDiff.code(dirty, other).map(\.name) == ["work tree"])
        #expect(ModelDiff.code(dirty, dirty).isEmpty)
        let clean = try run { _ in }
        #expect(ModelDiff.code(clean, clean).isEmpty)
    }

    @Test("tensors of one shape differ by their bytes, where those were read")
    func tensors() throws {
        let model = ModelDescription(tensors: [
            TensorDescription(name: "a", dtype: "F32", shape: [2]),
            TensorDescription(name: "b", dtype: "F32", shape: []),
        ])
        var before = ModelSide(uri: "a", model: model)
        var after = ModelSide(uri: "b", model: model)
        #expect(ModelDiff(before, after).isSame)
        before.contents = ["a": try digest(1), "b": try digest(3)]
        after.contents = ["a": try digest(2), "b": try digest(3)]
        let diff = ModelDiff(before, after, tensorNotes: ["n"])
        #expect(section(diff, .tensors).map(\.name) == ["a"])
        #expect(section(diff, .tensors)[0].note == "other values")
        #expect(diff.sections[0].notes == ["n"])
    }

    @Test("long lists are cut for people, what breaks first; JSON has all")
    func long() throws {
        var entries = (1...30).map { ModelDiff.Entry.added("input x\($0)", "double, optional") }
        entries.append(.added("input must", "double").breaking(true))
        let diff = ModelDiff([ModelDiff.Section(part: .signature, entries: entries)])
        let lines = diff.lines(TextStyle(isColored: false), before: "a", after: "b")
        #expect(lines[2] == "signature (breaking)")
        #expect(lines[3] == "  + input must  double  breaking")
        #expect(lines.last == "  and 11 more (--all shows them)")
        #expect(diff.json(before: "a", after: "b").text.contains("input x30"))
        #expect(
            diff.lines(TextStyle(isColored: false), before: "a", after: "b", most: .max).count
                == 34)
    }

    @Test(
        "requirements are taken apart by package, whatever the spelling",
        arguments: [
            (["Foo.Bar_baz[x]>=1; python_version < '3.12'"], ["foo-bar-baz"]),
            (["-r other.txt", "", "# note", "  numpy  "], ["-r other.txt", "numpy"]),
            (["git+https://host/x#egg=y"], ["git+https://host/x#egg=y"]),
            (["a==1 ; x", "a==2 ; y"], ["a"]), (["./wheel.whl"], ["./wheel.whl"]),
        ])
    func requirements(lines: [String], names: [String]) {
        #expect(Requirements.byName(lines).keys.sorted() == names)
    }

    @Test("facts that only tell one model from another are no difference")
    func names() throws {
        func side(_ facts: [String: String]) -> ModelSide {
            ModelSide(
                uri: "a",
                model: ModelDescription(flavors: [FlavorDescription(name: "f", facts: facts)]))
        }
        let one = side(["run_id": "1", "utc_time_created": "1", "trees": "5"])
        #expect(ModelDiff(one, side(["run_id": "2", "model_id": "2", "trees": "5"])).isSame)
        let diff = ModelDiff(one, side(["run_id": "2", "trees": "6"]))
        #expect(section(diff, .flavors) == [.changed("f.trees", "5", "6")])
    }

    @Test("a side without a run says so, unless both are without")
    func runless() throws {
        let with = ModelSide(uri: "a", model: ModelDescription(), run: try run { _ in })
        let without = ModelSide(uri: "b", model: ModelDescription())
        #expect(ModelDiff(with, without).notes.first?.contains("no run of b") == true)
        #expect(ModelDiff(without, without).notes.isEmpty)
    }
}
