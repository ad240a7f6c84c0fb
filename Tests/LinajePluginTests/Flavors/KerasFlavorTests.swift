import KerasFlavor
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("KerasFlavor")
struct KerasFlavorTests {
    private let flavor = KerasFlavor()

    private static func archive(_ config: String, more: [(String, [UInt8])] = []) -> [UInt8] {
        ZIPBytes(
            ([
                ("metadata.json", Array("{\"keras_version\":\"3.9.0\"}".utf8)),
                ("config.json", Array(config.utf8)),
                ("model.weights.h5", [0x89, 0x48, 0x44, 0x46]),
            ] + more).map { ZIPBytes.Member($0.0, $0.1) }
        ).bytes
    }

    /// A model with this layer after its input.
    private static func model(_ layer: String) -> [UInt8] {
        archive(
            """
            {"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[\
            {"module":"keras.layers","class_name":"InputLayer","config":{"batch_shape":[null,4],\
            "dtype":"float32","name":"x"},"registered_name":null},\(layer)]},"registered_name":null}
            """)
    }

    private static let dense = """
        {"module":"keras.layers","class_name":"Dense","config":{"units":2},"registered_name":null}
        """

    static let malformed: [HostileModel] = [
        HostileModel(
            "no config.json", "m.keras", ZIPBytes.of(("metadata.json", Array("{}".utf8))),
            says: "has no config.json"),
        HostileModel("a config that is no JSON", "m.keras", archive("{"), says: "config.json"),
        HostileModel(
            "a config nested 100,000 deep", "m.keras",
            archive(String(repeating: "[", count: 100_000)), says: "nested more than"),
        HostileModel(
            "a torn archive", "m.keras", Array(model(dense).dropLast(30)), says: "m.keras"),
    ]

    /// Layers by which loading a model runs code or reads files, and a part of what is said.
    static let dangers: [(String, String)] = [
        ("{\"module\":\"keras.layers\",\"class_name\":\"Lambda\",\"config\":{}}", "Lambda"),
        ("{\"class_name\":\"__lambda__\",\"config\":{\"code\":\"4wEA\"}}", "bytecode"),
        (
            "{\"module\":\"keras.layers\",\"class_name\":\"TorchModuleWrapper\",\"config\":{}}",
            "unpickles"
        ),
        ("{\"module\":\"keras.layers\",\"class_name\":\"TFSMLayer\",\"config\":{}}", "SavedModel"),
        // CVE-2025-1550
        ("{\"module\":\"os\",\"class_name\":\"function\",\"config\":\"system\"}", "\"os\""),
        // CVE-2025-8747
        (
            "{\"module\":\"keras.utils\",\"class_name\":\"function\",\"config\":\"get_file\"}",
            "keras.utils"
        ),
        ("{\"module\":\"keras.src.utils.file_utils\",\"class_name\":\"get_file\"}", "file_utils"),
        // CVE-2025-9906
        (
            """
            {"module":"keras.config","class_name":"function",\
            "config":"enable_unsafe_deserialization"}
            """, "enable_unsafe"
        ),
        ("{\"module\":\"keras.models\",\"class_name\":\"load_model\"}", "loads or saves"),
        (
            "{\"module\":\"keras\",\"class_name\":\"function\",\"config\":\"load_model\"}",
            "loads or saves"
        ),
        ("{\"module\":\"keras.layers.saving.x\",\"class_name\":\"A\"}", "imports that"),
        ("{\"module\":\"kerasevil\",\"class_name\":\"A\"}", "imports that"),
        // CVE-2025-12058
        (
            """
            {"module":"keras.layers","class_name":"StringLookup",\
            "config":{"vocabulary":"/etc/passwd"}}
            """, "reads the file \"/etc/passwd\""
        ),
    ]

    @Test("a malformed archive is a danger that is named, and hides no other", arguments: malformed)
    func refused(model: HostileModel) async throws {
        let lambda = Self.model(Self.dangers[0].0)
        for others in [[:], ["z/other.keras": lambda]] {
            let files = model.files.merging(others) { file, _ in file }
            let found = try await flavor.describe(MemoryModelSource(files, sizes: model.sizes))
            #expect(found.verdict == .dangerous)
            #expect(
                found.findings.contains {
                    $0.severity == .danger && $0.path == "m.keras"
                        && $0.message.contains(model.says)
                }, "\(found.findings)")
            #expect(found.findings.contains { $0.message.contains("Lambda") } == !others.isEmpty)
        }
    }

    @Test("no number of other files hides a model")
    func crowd() async throws {
        var files = ["z.keras": Self.model(Self.dangers[0].0)]
        for number in 0..<200 { files["a/\(number).keras"] = [UInt8(ascii: "x")] }
        for number in 0..<200 { files["b/\(number).keras"] = Self.model(Self.dense) }
        let found = try await flavor.describe(MemoryModelSource(files))
        #expect(found.verdict == .dangerous)
    }

    @Test("what an unpacked archive and an architecture in JSON would run is a danger")
    func unpacked() async throws {
        func judge(_ path: String, _ layer: String) async throws -> ModelDescription {
            let config =
                "{\"module\":\"keras\",\"class_name\":\"Sequential\",\"config\":{\"layers\":[\(layer)]}}"
            return try await flavor.describe(
                MemoryModelSource([
                    path: Array(config.utf8), "m/model.weights.h5": [1, 2, 3],
                    "m/metadata.json": Array("{\"keras_version\":\"3.9.0\"}".utf8),
                ]))
        }
        for path in ["m/config.json", "m/architecture.json"] {
            #expect(try await judge(path, Self.dangers[0].0).verdict == .dangerous)
            let good = try await judge(path, Self.dense)
            #expect(good.verdict == .safe)
            #expect(good.flavors[0].facts["layers"] == "1")
        }
        let folder = try await judge("m/config.json", Self.dense)
        #expect(folder.flavors[0].version == "3.9.0")
        #expect(folder.memoryBytes == 3)
    }

    @Test("the other name by which Keras looks a class up is judged, too")
    func registeredName() async throws {
        for layer in [
            "{\"module\":\"keras.layers\",\"class_name\":\"X\",\"registered_name\":\"TFSMLayer\"}",
            "{\"module\":\"keras.layers\",\"class_name\":\"X\",\"registered_name\":\"Y\"}",
            """
            {"module":"keras.layers","class_name":"X","registered_name":"StringLookup",\
            "config":{"vocabulary":"/etc/passwd"}}
            """,
        ] {
            let model = try await flavor.describe(
                MemoryModelSource(["m.keras": Self.model(layer)]))
            #expect(model.verdict == .dangerous, "\(layer)")
        }
    }

    @Test("no form of the JSON hides an object of Keras")
    func hiddenObjects() async throws {
        let lambda = "{\"class_name\":\"Lambda\",\"config\":{}}"
        let blanks = String(repeating: " ", count: 100)
        for text in [
            "[\(lambda)]", "{\"a\":{\"b\":\(lambda)}}", blanks + lambda,
            "{\"class_name\":\"function\",\"module\":\"evil\",\"config\":\"f\"}",
            "{\"registered_name\":null,\"class_name\":\"Lambda\",\"config\":{}}",
            "{\"\\u0063lass_name\":\"Lambda\",\"config\":{}}",
        ] {
            for path in ["m/config.json", "arch.json"] {
                let found = try await flavor.describe(
                    MemoryModelSource([path: Array(text.utf8)]))
                #expect(found.verdict == .dangerous, "\(path) \(text)")
            }
        }
        // A vocabulary may have such a word.
        let words = MemoryModelSource(["vocab.json": Array("{\"class_name\":17}".utf8)])
        #expect(try await flavor.recognizes(words) == false)
    }

    @Test("metadata that cannot be read hides no danger")
    func metadata() async throws {
        let lambda = "{\"class_name\":\"Lambda\",\"config\":{}}"
        let blanks = [UInt8](repeating: 0x20, count: 1_200_000)
        let archive = ZIPBytes([
            ZIPBytes.Member("metadata.json", blanks),
            ZIPBytes.Member("config.json", Array(lambda.utf8)),
        ]).bytes
        for files in [
            ["m.keras": archive],
            ["m/config.json": Array(lambda.utf8), "m/metadata.json": Array("{".utf8)],
        ] {
            #expect(try await flavor.describe(MemoryModelSource(files)).verdict == .dangerous)
        }
    }

    @Test("more configurations than are read are unknown")
    func budget() async throws {
        var files: [String: [UInt8]] = [:]
        let long = Array("{}".utf8) + [UInt8](repeating: 0x20, count: 20 << 20)
        for number in 0..<4 { files["\(number)/config.json"] = long }
        #expect(try await flavor.describe(MemoryModelSource(files)).verdict == .unknown)
    }

    @Test("a config.json that nobody can read is unknown, one of another library no Keras model")
    func otherConfigurations() async throws {
        for text in ["{", "{\"class_name\":\"A\",\"class_name\":\"B\"}"] {
            let found = try await flavor.describe(
                MemoryModelSource(["m/config.json": Array(text.utf8)]))
            #expect(found.verdict == .unknown)
            #expect(found.findings.map(\.path) == ["m/config.json"])
        }
        let other = MemoryModelSource([
            "config.json": Array("{\"model_type\":\"bert\",\"eps\":Infinity}".utf8)
        ])
        #expect(try await flavor.recognizes(other) == false)
    }

    @Test(
        "KerasFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: KerasFlavor(),
            good: [
                ConformanceModel("a Keras archive", files: ["m.keras": model(dense)]),
                ConformanceModel(
                    "an HDF5 file", files: ["m.h5": ForeignModels.file("keras-hdf5/model.h5")]),
            ],
            bad: malformed.compactMap(\.conformance)
                + dangers.map { ConformanceModel($0.1, files: ["m.keras": model($0.0)]) }))
    func conformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("what loading would run or read is a danger, wherever it stands", arguments: dangers)
    func danger(layer: String, says: String) async throws {
        let hidden =
            "{\"module\":\"keras.layers\",\"class_name\":\"Dense\",\"config\":{\"x\":[\(layer)]}}"
        for layer in [layer, hidden] {
            let model = try await flavor.describe(
                MemoryModelSource(["m.keras": Self.model(layer)]))
            #expect(model.verdict == .dangerous)
            #expect(
                model.findings.contains { $0.severity == .danger && $0.message.contains(says) },
                "\(model.findings)")
        }
    }

    @Test("classes and functions that the model lacks make the verdict unknown")
    func custom() async throws {
        for layer in [
            "{\"module\":null,\"class_name\":\"Mine\",\"registered_name\":\"Custom>Mine\"}",
            "{\"module\":\"keras_hub.models\",\"class_name\":\"Backbone\"}",
            "{\"module\":\"builtins\",\"class_name\":\"function\",\"config\":\"my_loss\"}",
        ] {
            let model = try await flavor.describe(
                MemoryModelSource(["m.keras": Self.model(layer)]))
            #expect(model.verdict == .unknown)
            #expect(model.findings.map(\.severity) == [.warning], "\(model.findings)")
        }
    }

    @Test("a model of Keras' own layers is safe and has its inputs as a signature")
    func good() async throws {
        let model = try await flavor.describe(
            MemoryModelSource(["d/m.keras": Self.model(Self.dense)]))
        #expect(model.findings == [])
        #expect(model.verdict == .safe)
        #expect(model.flavors[0].version == "3.9.0")
        #expect(model.flavors[0].facts["layer_counts"] == "Dense:1,InputLayer:1")
        #expect(
            model.signature == """
                {"inputs":[{"name":"x","type":"tensor","tensor-spec":{"dtype":"float32",\
                "shape":[-1,4]}}],"outputs":null,"params":null}
                """)
    }

    @Test("an entry that leads outside the archive is a danger")
    func slip() async throws {
        let bytes = Self.archive(
            "{\"module\":\"keras\",\"class_name\":\"Sequential\",\"config\":{}}",
            more: [("../../evil.py", [1])])
        let model = try await flavor.describe(MemoryModelSource(["m.keras": bytes]))
        #expect(model.verdict == .dangerous)
        #expect(model.findings.contains { $0.message.contains("evil.py") })
    }

    @Test("an HDF5 file is recognised, weights alone are no model")
    func hdf5() async throws {
        let bytes = ForeignModels.file("keras-hdf5/model.h5")
        let model = try await flavor.describe(MemoryModelSource(["m.h5": bytes]))
        #expect(model.flavors.map(\.facts["format"]) == ["HDF5"])
        let weights = MemoryModelSource(["model.weights.h5": bytes, "tf_model.h5": bytes])
        #expect(try await flavor.recognizes(weights) == false)
    }
}
