import CatBoostFlavor
import Foundation
import KerasFlavor
import LinajeDomain
import LinajePluginKit
import TensorFlowFlavor
import Testing

/// Models of libraries that the tests do not install, described as those libraries said they are
/// when they wrote them.
@Suite("flavors on models of CatBoost, Keras and TensorFlow")
struct ForeignModelTests {
    struct Expected: Decodable {
        struct CatBoost: Decodable {
            var version: String
            var trees: Int
            var features: [String]
            var objective: String
            var leaf_values: UInt64
        }
        struct Keras: Decodable {
            var version: String
            var layers: Int
        }
        struct TensorFlow: Decodable {
            var version: String
            var parameters: UInt64
            var operations: [String: Int]
        }
        var catboost: CatBoost
        var keras: Keras
        var tensorflow: TensorFlow
    }

    private let expected: Expected

    init() throws {
        expected = try JSONDecoder().decode(
            Expected.self, from: Data(ForeignModels.file("expected.json")))
    }

    private func describe(_ name: String, by flavor: any ModelFlavor) async throws
        -> ModelDescription
    {
        try await flavor.describe(DirectorySource(root: "\(ForeignModels.folder)/\(name)"))
    }

    @Test("a CatBoost model says the same in its own format and as JSON", arguments: ["", "-json"])
    func catboost(form: String) async throws {
        let model = try await describe("catboost\(form)", by: CatBoostFlavor())
        let wanted = expected.catboost
        let facts = try #require(model.flavors.first?.facts)
        #expect(model.flavors[0].version == wanted.version)
        #expect(facts["trees"] == String(wanted.trees))
        #expect(facts["feature_names"] == wanted.features.joined(separator: ","))
        #expect(facts["objective"] == wanted.objective)
        #expect(facts["leaf_values"] == String(wanted.leaf_values))
        #expect(model.signature.contains("{\"type\":\"string\",\"name\":\"e\",\"required\":true}"))
        #expect(model.findings == [])
    }

    @Test("a Keras archive has its version, layers and inputs")
    func keras() async throws {
        let model = try await describe("keras", by: KerasFlavor())
        #expect(model.flavors[0].version == expected.keras.version)
        #expect(model.flavors[0].facts["layers"] == String(expected.keras.layers))
        #expect(model.findings == [])
        #expect(model.verdict == .safe)
    }

    @Test("a SavedModel has the operations that TensorFlow counts, and the variables")
    func tensorflow() async throws {
        let model = try await describe("tensorflow", by: TensorFlowFlavor())
        let counts = expected.tensorflow.operations.sorted { $0.key < $1.key }
            .map { "\($0.key):\($0.value)" }.joined(separator: ",")
        #expect(model.flavors[0].version == expected.tensorflow.version)
        #expect(model.flavors[0].facts["operation_counts"] == counts)
        // Besides the weights the optimizer keeps its iteration and learning rate.
        #expect(model.parameters == expected.tensorflow.parameters + 2)
        #expect(model.findings == [])
    }
}
