import LinajeConformance
import LinajeDomain
import LinajePluginKit
import TensorFlowFlavor
import Testing

@Suite("TensorFlowFlavor")
struct TensorFlowFlavorTests {
    private typealias P = ProtobufBytes
    private let flavor = TensorFlowFlavor()

    /// A SavedModel around the fields of a graph.
    private static func model(_ graph: [UInt8], meta: [UInt8] = []) -> [UInt8] {
        P.field(1, 1)
            + P.field(
                2,
                P.field(1, P.field(4, "serve") + P.field(5, "2.20.0")) + P.field(2, graph)
                    + meta)
    }

    private static func node(_ operation: String) -> [UInt8] {
        P.field(1, P.field(1, "n") + P.field(2, operation))
    }

    /// An input (1) or output (2) of a signature.
    private static func tensor(_ number: UInt64, _ name: String, _ shape: [Int64]) -> [UInt8] {
        let dimensions = shape.flatMap { P.field(2, P.field(1, UInt64(bitPattern: $0))) }
        return P.field(
            number, P.field(1, name) + P.field(2, P.field(2, 1) + P.field(3, dimensions)))
    }

    private static let good = model(
        node("MatMul") + node("MatMul") + P.field(2, P.field(1, P.field(3, P.field(2, "Relu")))),
        meta: P.field(
            5,
            P.field(1, "serving_default")
                + P.field(2, tensor(1, "x", [-1, 4]) + tensor(2, "y", [-1, 2]))))

    static let malformed: [HostileModel] = [
        HostileModel("an empty file", "saved_model.pb", [], says: "has no graph"),
        HostileModel("no graph", "saved_model.pb", P.field(1, 1), says: "has no graph"),
        HostileModel(
            "a torn graph", "saved_model.pb", Array(good.dropLast(5)), says: "saved_model.pb"),
        HostileModel(
            "a number without end", "saved_model.pb",
            [8] + [UInt8](repeating: 0xff, count: 1_000), says: "more than 64 bits"),
        HostileModel(
            "an operation whose name is not UTF-8", "saved_model.pb",
            model(P.field(1, P.field(2, [0xff]))), says: "not UTF-8"),
        HostileModel(
            "a shape of a thousand dimensions", "saved_model.pb",
            model(
                [],
                meta: P.field(
                    5,
                    P.field(1, "s")
                        + P.field(2, tensor(1, "x", [Int64](repeating: 1, count: 1_000))))),
            says: "more than 254 dimensions"),
    ]

    @Test("a malformed file is refused by name", arguments: malformed)
    func refused(model: HostileModel) async throws {
        try await model.expectRefusal(by: flavor)
    }

    private static let variables = [
        "saved_model.pb": good,
        "variables/variables.index": ForeignModels.file(
            "tensorflow/model/variables/variables.index"),
    ]

    @Test(
        "TensorFlowFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: TensorFlowFlavor(),
            good: [ConformanceModel("a SavedModel", files: variables)],
            bad: malformed.compactMap(\.conformance)))
    func conformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("signature, tags, operations and variables are described")
    func described() async throws {
        let model = try await flavor.describe(MemoryModelSource(Self.variables))
        #expect(model.findings == [])
        #expect(model.verdict == .safe)
        #expect(model.flavors[0].version == "2.20.0")
        #expect(model.flavors[0].facts["operation_counts"] == "MatMul:2,Relu:1")
        #expect(model.flavors[0].facts["tags"] == "serve")
        #expect(model.parameters > 0)
        #expect(
            model.signature == """
                {"inputs":[{"name":"x","type":"tensor","tensor-spec":{"dtype":"float32",\
                "shape":[-1,4]}}],"outputs":[{"name":"y","type":"tensor","tensor-spec":\
                {"dtype":"float32","shape":[-1,2]}}],"params":null}
                """)
    }

    @Test(
        "operations that run Python or touch files are dangers, in functions too",
        arguments: ["PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "DatasetFromGraph"])
    func operations(name: String) async throws {
        let inFunction = P.field(2, P.field(1, P.field(3, P.field(2, name))))
        for graph in [Self.node(name), inFunction] {
            let model = try await flavor.describe(
                MemoryModelSource(["d/saved_model.pb": Self.model(graph)]))
            #expect(model.findings.map(\.severity) == [.danger])
            #expect(model.findings[0].message.contains(name))
            #expect(model.verdict == .dangerous)
        }
    }

    @Test("an asset outside the model is a danger, one that is missing a warning")
    func assets() async throws {
        func describe(_ name: String) async throws -> ModelDescription {
            let bytes = Self.model([], meta: P.field(6, P.field(2, name)))
            return try await flavor.describe(
                MemoryModelSource(["saved_model.pb": bytes, "assets/vocab.txt": [1]]))
        }
        #expect(try await describe("vocab.txt").findings == [])
        #expect(try await describe("other.txt").findings.map(\.severity) == [.warning])
        for bad in ["../../etc/passwd", "/etc/passwd", "..\\x"] {
            #expect(try await describe(bad).verdict == .dangerous, "\(bad)")
        }
    }

    @Test("an index of variables that is damaged is a warning, never a trap")
    func damagedIndex() async throws {
        let index = ForeignModels.file("tensorflow/model/variables/variables.index")
        var generator = SeededGenerator(seed: 7)
        for round in 0..<300 {
            var bytes = index
            for _ in 0..<3 {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] = UInt8.random(in: 0...255, using: &generator)
            }
            if round < index.count { bytes = Array(index[..<round]) }
            let model = try await flavor.describe(
                MemoryModelSource(["saved_model.pb": Self.good, "variables/variables.index": bytes])
            )
            if round < index.count, round > 0 {
                #expect(model.findings.map(\.severity) == [.warning], "cut at \(round)")
            }
        }
    }
}
