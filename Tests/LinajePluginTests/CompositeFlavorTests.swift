import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("CompositeFlavor")
struct CompositeFlavorTests {
    /// A flavor that says what it is told to.
    struct Scripted: ModelFlavor {
        var name: String
        var answer: @Sendable () throws -> ModelDescription?
        var descriptor: PluginDescriptor { .init(name: name, kind: .modelFlavor, version: "1") }
        func recognizes(_ source: any ModelSource) async throws -> Bool { try answer() != nil }
        func describe(_ source: any ModelSource) async throws -> ModelDescription {
            try answer() ?? ModelDescription()
        }
    }

    private let source = MemoryModelSource(["x": [1]])

    @Test("what the flavors say is merged in their order")
    func merge() async throws {
        let first = Scripted(name: "one") {
            ModelDescription(flavors: [.init(name: "one")], signature: "{}", requirements: ["a"])
        }
        let second = Scripted(name: "two") {
            ModelDescription(
                flavors: [.init(name: "two")], signature: "{2}", requirements: ["a", "b"],
                parameters: 7)
        }
        let stranger = Scripted(name: "three") { nil }
        let whole = try await CompositeFlavor([first, stranger, second]).describe(source)
        #expect(whole.flavors.map(\.name) == ["one", "two"])
        #expect(whole.signature == "{}")
        #expect(whole.requirements == ["a", "b"])
        #expect(whole.parameters == 7)
        #expect(whole.findings.isEmpty)
    }

    @Test(
        "a model that declares no requirement requires the libraries of its flavors",
        arguments: [
            ("xgboost", "3.1.0", ["xgboost==3.1.0"]), ("keras", "4.0.0rc1", ["keras==4.0.0rc1"]),
            ("sklearn", "1.8.dev0", ["scikit-learn"]), ("sklearn", "", ["scikit-learn"]),
            ("xgboost", "3 --index-url=https://x", ["xgboost"]), ("keras", "1.2\n3", ["keras"]),
            ("lightgbm", "4.0", ["lightgbm"]), ("own", "1.0", []),
        ])
    func requirements(flavor: String, version: String, lines: [String]) async throws {
        let bare = Scripted(name: flavor) {
            ModelDescription(flavors: [.init(name: flavor, version: version)])
        }
        #expect(try await CompositeFlavor([bare]).describe(source).requirements == lines)
        let declared = Scripted(name: "other") { ModelDescription(requirements: ["numpy"]) }
        #expect(
            try await CompositeFlavor([bare, declared]).describe(source).requirements == ["numpy"])
    }

    @Test("a flavor that throws becomes a warning and the others are kept")
    func failure() async throws {
        let bad = Scripted(name: "bad") { throw LinajeError(.invalidArgument, "x is torn") }
        let good = Scripted(name: "good") { ModelDescription(flavors: [.init(name: "good")]) }
        let whole = try await CompositeFlavor([bad, good]).describe(source)
        #expect(whole.flavors.map(\.name) == ["good"])
        #expect(whole.findings == [Finding(severity: .warning, message: "bad: x is torn")])
        #expect(whole.verdict == nil)
    }

    @Test(
        "what a flavor failed on is not called safe by the others, nor better than they call it",
        arguments: [
            (ScanVerdict?.none, ScanVerdict.unknown), (.safe, .unknown), (.dangerous, .dangerous),
        ])
    func failedVerdict(of good: ScanVerdict?, expected: ScanVerdict) async throws {
        let bad = Scripted(name: "bad") { throw LinajeError(.invalidArgument, "x is torn") }
        let other = Scripted(name: "good") {
            ModelDescription(flavors: [.init(name: "good")], verdict: good)
        }
        for flavors in [[bad, other], [other, bad]] {
            let whole = try await CompositeFlavor(flavors, failed: .unknown).describe(source)
            #expect(whole.verdict == expected)
        }
    }

    @Test("files that nobody recognises give an empty description")
    func nobody() async throws {
        let composite = CompositeFlavor([Scripted(name: "one") { nil }])
        #expect(try await composite.describe(source) == ModelDescription())
        #expect(try await composite.describeIfRecognized(source) == nil)
        #expect(try await composite.recognizes(source) == false)
    }

    @Test("a cancelled description is cancelled, not a warning")
    func cancelled() async throws {
        let flavor = Scripted(name: "one") { throw CancellationError() }
        await #expect(throws: CancellationError.self) {
            try await CompositeFlavor([flavor]).describe(source)
        }
    }

    @Test("a description past its bounds is cut and says so")
    func bounds() async throws {
        let tensor = TensorDescription(name: "t", dtype: "F32", shape: [1])
        let huge = Scripted(name: "huge") {
            ModelDescription(
                flavors: [
                    .init(name: "huge", facts: ["long": String(repeating: "x", count: 10_000)])
                ],
                signature: String(repeating: "s", count: 1 << 20),
                requirements: [String](repeating: "r", count: 10_001).enumerated().map {
                    "\($0.element)\($0.offset)"
                },
                tensors: [TensorDescription](repeating: tensor, count: 10_005),
                findings: [Finding](
                    repeating: .init(severity: .info, message: "f"), count: 1_001),
                files: (0..<2_003).map { ModelFileDescription(path: "w\($0)", role: .weights) },
                license: String(repeating: "l", count: 10_000),
                card: ["fits": "x", "long": String(repeating: "x", count: 10_000)],
                verdict: .unknown)
        }
        let whole = try await CompositeFlavor([huge]).describe(source)
        #expect(whole.tensors.count == 10_000)
        #expect(whole.requirements.count == 10_000)
        #expect(whole.findings.count == 1_001)
        #expect(whole.signature.isEmpty)
        #expect(whole.flavors[0].facts.isEmpty)
        #expect(whole.files.count == 2_000)
        #expect(whole.license.utf8.count <= ModelDescription.Bounds.textBytes)
        #expect(whole.card == ["fits": "x"])
        #expect(whole.verdict == .unknown)
        let said = try #require(whole.findings.last?.message)
        for part in [
            "5 of 10005 tensors", "1 facts", "1 requirements", "1 findings", "signature",
            "3 of 2003 files", "1 fields of the model card",
        ] {
            #expect(said.contains(part), "\(said)")
        }
    }
}
