import Foundation
import LinajeDomain
import LinajePluginKit
import Testing

/// Models of every flavor, written by the real libraries and described in the flavor host as those
/// libraries say they are. What the host says of each stands in `docs/flavors.md`.
@Suite("flavors on models of the real libraries", .enabled(if: TestPython.canMakeFlavorModels))
struct RealFlavorTests {
    struct Expected: Decodable {
        struct Tensor: Decodable, Equatable {
            var dtype: String
            var shape: [UInt64]
        }
        var flavor: String
        var version: String?
        var facts: [String: String]?
        var tensors: [String: Tensor]?
        var parameters: UInt64?
        var memory: UInt64?
        var license: String?
        var card: [String: String]?
    }

    /// What a library says of the signature of a model.
    struct Schemas {
        var inputs: NSArray?
        var outputs: NSArray?
    }

    /// What `make_models.py` writes, by the name that the table gives it.
    private static let others = [
        "single": "safetensors", "sharded": "safetensors-sharded", "mlmodel": "mlflow-sklearn",
        "sklearn-pickle": "sklearn-pickle", "sklearn-joblib": "sklearn-joblib",
        "sklearn-forest": "sklearn-forest", "sklearn-skops": "sklearn-skops", "state": "pytorch",
        "legacy": "pytorch-legacy", "checkpoint": "pytorch-checkpoint",
    ]

    private let directory: TemporaryDirectory
    private let otherDirectory: TemporaryDirectory
    private let expected: [String: Expected]
    private let schemas: [String: Schemas]

    init() async throws {
        directory = try TemporaryDirectory()
        otherDirectory = try TemporaryDirectory()
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures").path
        _ = try await TestPython.runAside(["\(fixtures)/make_flavor_models.py", directory.path])
        _ = try await TestPython.runAside(["\(fixtures)/make_models.py", otherDirectory.path])
        _ = try await TestPython.runAside(["\(fixtures)/make_torch.py", otherDirectory.path])
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/expected.json"))
        expected = try JSONDecoder().decode([String: Expected].self, from: json)
        let tree = try JSONSerialization.jsonObject(with: json) as? [String: [String: Any]]
        schemas = (tree ?? [:]).mapValues {
            Schemas(inputs: $0["inputs"] as? NSArray, outputs: $0["outputs"] as? NSArray)
        }
    }

    /// The folders of models, by the name that the table gives them.
    private func folders() throws -> [(name: String, path: String)] {
        let made = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            .map { (name: $0, path: "\(directory.path)/\($0)") }
        let foreign = try FileManager.default.contentsOfDirectory(atPath: ForeignModels.folder)
            .map { (name: $0, path: "\(ForeignModels.folder)/\($0)") }
        let others = Self.others.map { (name: $1, path: "\(otherDirectory.path)/\($0)") }
        return (made + foreign + others).filter { !$0.name.hasSuffix(".json") }
            .sorted { $0.name < $1.name }
    }

    @Test("the flavor host says of each model what its library says, and the table is up to date")
    func describe() async throws {
        let host = PluginScript.process()
        var table = FlavorTable()
        var described: Set<String> = []
        for (name, path) in try folders() {
            let model = try await host.describe(DirectorySource(root: path))
            table.add(name, model)
            described.insert(name)
            if let expected = expected[name] { check(name, model, expected) }
        }
        await host.shutdown()
        #expect(described.isSuperset(of: expected.keys))
        try table.compare()
    }

    private func check(_ name: String, _ model: ModelDescription, _ wanted: Expected) {
        let flavor = model.flavors.first { $0.name == wanted.flavor }
        if let version = wanted.version { #expect(flavor?.version == version, "\(name)") }
        for (key, value) in wanted.facts ?? [:] {
            #expect(flavor?.facts[key] == value, "\(name): \(key)")
        }
        if let tensors = wanted.tensors {
            let found = Dictionary(
                uniqueKeysWithValues: model.tensors.map {
                    ($0.name, Expected.Tensor(dtype: $0.dtype, shape: $0.shape))
                })
            #expect(found == tensors, "\(name)")
        }
        if let parameters = wanted.parameters { #expect(model.parameters == parameters, "\(name)") }
        if let memory = wanted.memory { #expect(model.memoryBytes == memory, "\(name)") }
        if let license = wanted.license { #expect(model.license == license, "\(name)") }
        for (key, value) in wanted.card ?? [:] {
            #expect(model.card[key] == value, "\(name): \(key)")
        }
        guard let schemas = schemas[name], let inputs = schemas.inputs else { return }
        let said = try? JSONSerialization.jsonObject(with: Data(model.signature.utf8))
        let signature = said as? [String: Any]
        #expect(signature?["inputs"] as? NSArray == inputs, "\(name): \(model.signature)")
        #expect(signature?["outputs"] as? NSArray == schemas.outputs, "\(name): \(model.signature)")
    }
}
