import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import PyTorchFlavor
import ScanFlavor
import SklearnFlavor
import Testing

@Suite("models in pickles")
struct PickledModelTests {
    @Test("the class, the version and the parameters of an estimator are read")
    func estimator() async throws {
        let source = MemoryModelSource(["model/m.bin": PickleBytes.estimator])
        let model = try #require(try await SklearnFlavor().describeIfRecognized(source))
        let flavor = try #require(model.flavors.first)
        #expect(flavor.name == "sklearn")
        #expect(flavor.version == "1.9.1")
        #expect(flavor.facts["class"] == "sklearn.linear_model._logistic.LogisticRegression")
        #expect(flavor.facts["n_features"] == "3")
        #expect(flavor.facts["param.C"] == "1.0")
        #expect(flavor.facts["param.penalty"] == "l2")
        #expect(flavor.facts["param.fit_intercept"] == "True")
        #expect(flavor.facts["serialization_format"] == "pickle")
        #expect(model.files == [ModelFileDescription(path: "model/m.bin", role: .weights)])
    }

    @Test("the tensors of a file of torch are read from its pickle")
    func torch() async throws {
        let source = MemoryModelSource(["pytorch_model.bin": PickleBytes.torch])
        let model = try #require(try await PyTorchFlavor().describeIfRecognized(source))
        #expect(model.tensors == [TensorDescription(name: "w", dtype: "F32", shape: [2, 3])])
        #expect(model.parameters == 6)
        #expect(model.memoryBytes == 24)
        #expect(model.flavors.first?.facts["object"] == "state dict")
        #expect(model.findings == [])
    }

    @Test("a program of TorchScript is said to be one")
    func script() async throws {
        let bytes = ZIPBytes.of(
            ("m/data.pkl", PickleBytes.state), ("m/code/__torch__.py", PickleBytes.ops("def f")),
            ("m/constants.pkl", PickleBytes.pickle(PickleBytes.empty)),
            ("m/data/0", [UInt8](repeating: 0, count: 24)), ("m/version", [0x33]))
        let source = MemoryModelSource(["m.pt": bytes])
        let model = try await PyTorchFlavor().describe(source)
        #expect(model.findings.contains { $0.message.contains("TorchScript") })
        #expect(try await ScanFlavor().describe(source).verdict == .unknown)
    }

    @Test("a storage of another size than its pickle says is a warning")
    func storages() async throws {
        let bytes = ZIPBytes.of(
            ("m/data.pkl", PickleBytes.state), ("m/data/0", [0, 0]), ("m/version", [0x33]))
        let model = try await PyTorchFlavor().describe(MemoryModelSource(["m.pt": bytes]))
        #expect(model.findings.map(\.message) == ["1 of 1 storages are missing or of another size"])
    }

    @Test("arguments that a file names again and again are not copied as often")
    func namedAgain() async throws {
        let arguments =
            PickleBytes.ops("(") + [UInt8](repeating: UInt8(ascii: "N"), count: 400_000)
        let tensor =
            PickleBytes.global("torch._utils", "_rebuild_tensor_v2") + arguments
            + PickleBytes.ops("tRq") + [0]
        let again = (0..<20_000).flatMap { _ in [UInt8(ascii: "h"), 0] }
        let object = PickleBytes.pickle(tensor, PickleBytes.ops("0]("), again, PickleBytes.ops("e"))
        let bytes = ZIPBytes.of(("m/data.pkl", object), ("m/version", [0x33]))
        let model = try await PyTorchFlavor().describe(MemoryModelSource(["m.pt": bytes]))
        #expect(model.flavors.first?.facts["tensors"] == "20000")
        #expect(model.tensors == [])
    }

    @Test("storages are not read")
    func storagesAreNotRead() async throws {
        let bytes = ZIPBytes.of(
            ("m/data.pkl", PickleBytes.state), ("m/data/0", [UInt8](repeating: 0, count: 24)),
            ("m/data/1", [UInt8](repeating: 1, count: 8 << 20)),
            ("m/data/2", [UInt8](repeating: 2, count: 8 << 20)), ("m/version", [0x33]))
        let source = MemoryModelSource(["m.pt": bytes])
        #expect(try await PyTorchFlavor().describeIfRecognized(source)?.parameters == 6)
        #expect(try await ScanFlavor().describe(source).verdict == .safe)
        #expect(source.reads.bytes < 1 << 20)
    }

    @Test("the verdict of the worst file is that of the model, with a finding that names it")
    func verdict() async throws {
        let hostile = PickleBytes.pickle(
            PickleBytes.global("os", "system"), PickleBytes.text("id"), [0x85], PickleBytes.reduce)
        let model = try await ScanFlavor().describe(
            MemoryModelSource([
                "a.pkl": PickleBytes.estimator, "b/readme.md": hostile, "c.txt": [1, 2, 3],
            ]))
        #expect(model.verdict == .dangerous)
        #expect(model.findings.map(\.severity) == [.danger])
        #expect(model.findings.map(\.path) == ["b/readme.md"])
        #expect(model.flavors[0].facts["file.a.pkl"] == "pickle, safe")
        #expect(model.flavors[0].facts["pickles"] == "2")
        let plain = MemoryModelSource(["c.txt": [1, 2, 3], "d.csv": Array("a,b\n1,2\n".utf8)])
        #expect(try await ScanFlavor().describeIfRecognized(plain) == nil)
    }

    @Test(
        "files written as torch writes them are described as torch says",
        arguments: ["state", "legacy", "checkpoint"])
    func realTorch(name: String) async throws {
        // NumPy puts the bytes together; torch itself is not needed.
        guard TestPython.canMakeModels else { return }
        let directory = try TemporaryDirectory()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/make_torch.py").path
        _ = try await TestPython.runAside([script, directory.path])
        struct Expected: Decodable {
            struct Tensor: Decodable, Equatable {
                var dtype: String
                var shape: [UInt64]
            }
            var tensors: [String: Tensor]
            var parameters: UInt64
            var memory: UInt64
        }
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/expected.json"))
        let all = try JSONDecoder().decode([String: Expected].self, from: json)
        let expected = try #require(all[name])
        let source = DirectorySource(root: "\(directory.path)/\(name)")
        let model = try #require(try await PyTorchFlavor().describeIfRecognized(source))
        let found = Dictionary(
            uniqueKeysWithValues: model.tensors.map {
                ($0.name, Expected.Tensor(dtype: $0.dtype, shape: $0.shape))
            })
        #expect(found == expected.tensors)
        #expect(model.parameters == expected.parameters)
        #expect(model.memoryBytes == expected.memory)
        #expect(model.findings == [])
        #expect(try await ScanFlavor().describe(source).verdict == .safe)
    }

    private static let torn = [
        ConformanceModel("a torn archive", files: ["m.pt": Array(PickleBytes.torch.dropLast(9))]),
        ConformanceModel("bytes before it", files: ["m.pt": [1] + PickleBytes.torch]),
    ]

    @Test(
        "SklearnFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: SklearnFlavor(),
            good: [ConformanceModel("an estimator", files: ["m.pkl": PickleBytes.estimator])],
            bad: [
                ConformanceModel(
                    "a torn one", files: ["m.pkl": Array(PickleBytes.estimator.dropLast())])
            ]))
    func sklearnSuite(conformance: ConformanceCase) async throws { try await conformance.body() }

    @Test(
        "PyTorchFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: PyTorchFlavor(),
            good: [ConformanceModel("a state dict", files: ["m.pt": PickleBytes.torch])], bad: torn)
    )
    func torchSuite(conformance: ConformanceCase) async throws { try await conformance.body() }

    @Test(
        "ScanFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: ScanFlavor(),
            good: [
                ConformanceModel(
                    "two files", files: ["m.pt": PickleBytes.torch, "m.pkl": PickleBytes.estimator])
            ], bad: torn))
    func scanSuite(conformance: ConformanceCase) async throws { try await conformance.body() }
}
