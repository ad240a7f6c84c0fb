import Foundation
import LinajeDomain
import LinajePluginKit
import PyFuncFlavor
import SafetensorsFlavor
import ScanFlavor
import SklearnFlavor
import Testing

/// Models written by the real libraries, described as those libraries say they are.
@Suite("models made by the real libraries", .enabled(if: TestPython.canMakeModels))
struct RealModelTests {
    struct Expected: Decodable {
        struct Tensor: Decodable, Equatable {
            var dtype: String
            var shape: [UInt64]
        }
        struct Weights: Decodable {
            var tensors: [String: Tensor]
            var parameters: UInt64
            var title: String?
        }
        struct Model: Decodable {
            var flavors: [String: String]
            var requirements: [String]?
        }
        var single: Weights
        var sharded: Weights
        var mlmodel: Model
        var mlflow: Model?
        var estimators: [String: [String: String?]]
        var sklearn: String
    }

    private let directory: TemporaryDirectory
    private let expected: Expected

    init() async throws {
        directory = try TemporaryDirectory()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/make_models.py").path
        _ = try await TestPython.runAside([script, directory.path])
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/expected.json"))
        expected = try JSONDecoder().decode(Expected.self, from: json)
    }

    private func check(_ model: ModelDescription, _ weights: Expected.Weights) {
        let found = Dictionary(
            uniqueKeysWithValues: model.tensors.map {
                ($0.name, Expected.Tensor(dtype: $0.dtype, shape: $0.shape))
            })
        #expect(found == weights.tensors)
        #expect(model.parameters == weights.parameters)
        #expect(model.findings.filter { $0.severity != .info } == [])
    }

    @Test("the flavors say what safetensors and scikit-learn wrote, alone and in their process")
    func describe() async throws {
        let host = PluginScript.process()
        let inProcess = CompositeFlavor([PyFuncFlavor(), SafetensorsFlavor()])
        for flavor in [inProcess, host] as [any ModelFlavor] {
            let single = try await flavor.describe(
                DirectorySource(root: "\(directory.path)/single"))
            check(single, expected.single)
            #expect(single.flavors[0].facts["metadata.title"] == expected.single.title)

            check(
                try await flavor.describe(DirectorySource(root: "\(directory.path)/sharded")),
                expected.sharded)

            let model = try await flavor.describe(
                DirectorySource(root: "\(directory.path)/mlmodel"))
            let versions = Dictionary(
                uniqueKeysWithValues: model.flavors.map { ($0.name, $0.version) })
            // The host also looks for code in the pickle.
            let wanted = expected.mlmodel.flavors.merging(
                flavor is PluginProcess ? ["scan": "1"] : [:]
            ) { first, _ in first }
            #expect(versions == wanted)
            #expect(model.verdict == (flavor is PluginProcess ? .safe : nil))
            #expect(model.requirements == expected.mlmodel.requirements)
            #expect(model.findings == [])
            #expect(model.signature.hasPrefix("{\"inputs\":[{\"type\": \"double\""))
        }
        await host.shutdown()
    }

    @Test("estimators are described as scikit-learn says they are, however they are written")
    func estimators() async throws {
        #expect(expected.estimators.count >= 4)
        for (name, facts) in expected.estimators {
            let source = DirectorySource(root: "\(directory.path)/\(name)")
            let model = try #require(
                try await SklearnFlavor().describeIfRecognized(source), "\(name)")
            let flavor = try #require(model.flavors.first)
            #expect(flavor.version == expected.sklearn, "\(name)")
            for (key, value) in facts { #expect(flavor.facts[key] == value, "\(name): \(key)") }
            #expect(try await ScanFlavor().describe(source).verdict == .safe, "\(name)")
        }
        let source = DirectorySource(root: "\(directory.path)/sklearn-pickle")
        let facts = try await SklearnFlavor().describe(source).flavors[0].facts
        #expect(
            facts["steps"]
                == "standardscaler: sklearn.preprocessing._data.StandardScaler, "
                + "logisticregression: sklearn.linear_model._logistic.LogisticRegression")
        #expect(facts["param.verbose"] == "False")
    }

    @Test("a model that MLflow itself wrote is described with its flavors and no warning")
    func mlflow() async throws {
        // MLflow is not among the libraries that tests need; where it is, its word counts.
        guard let wanted = expected.mlflow else { return }
        let model = try await PyFuncFlavor().describe(
            DirectorySource(root: "\(directory.path)/mlflow"))
        let versions = Dictionary(
            uniqueKeysWithValues: model.flavors.map { ($0.name, $0.version) })
        #expect(versions == wanted.flavors)
        #expect(model.findings == [])
        #expect(model.signature.contains("\"tensor\""))
        #expect(!model.requirements.isEmpty)
    }
}
