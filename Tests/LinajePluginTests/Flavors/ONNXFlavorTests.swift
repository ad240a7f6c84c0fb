import LinajeConformance
import LinajeDomain
import LinajePluginKit
import ONNXFlavor
import Testing

@Suite("ONNXFlavor")
struct ONNXFlavorTests {
    private typealias P = ProtobufBytes
    private let flavor = ONNXFlavor()

    private static func hostile(_ what: String, _ bytes: [UInt8], says: String) -> HostileModel {
        HostileModel(what, "m.onnx", bytes, says: says)
    }

    /// Graphs in branches of branches.
    private static func branches(_ depth: Int) -> [UInt8] {
        ONNXBytes.model(P.nested([1, 5, 6], times: depth, around: ONNXBytes.node("Relu")))
    }

    static let malformed: [HostileModel] = [
        hostile("an empty file", [], says: "has no graph"),
        hostile("no graph", P.field(1, 10), says: "has no graph"),
        hostile("no ir_version", P.field(7, P.field(2, "g")), says: "has no ir_version"),
        hostile("text", Array("hello, world, this is no model".utf8), says: "m.onnx"),
        hostile(
            "a number of 11 bytes", [8] + [UInt8](repeating: 0xff, count: 10) + [1],
            says: "more than 64 bits"),
        hostile(
            "a number of a million bytes", [8] + [UInt8](repeating: 0x80, count: 1_000_000),
            says: "more than 64 bits"),
        hostile("a torn number", [8, 0x80], says: "ends inside a number"),
        hostile(
            "a length past the file", [0x3a] + P.varint(1 << 40), says: "more than its message"),
        hostile("a length of 2^64-1", [0x3a] + P.varint(.max), says: "more than its message"),
        hostile(
            "a length past its message", P.field(7, [0x0a, 100, 1, 2]),
            says: "more than its message"),
        hostile("a group", [0x3b, 0x3c], says: "wire type 3"),
        hostile("wire type 7", [0x3f], says: "wire type 7"),
        hostile("field 0", [0x02, 0], says: "number 0"),
        hostile("a torn float", P.field(7, [0x15, 0, 0]), says: "ends inside a number"),
        hostile("graphs 20 deep", branches(20), says: "nested more than"),
        hostile("graphs 10,000 deep", branches(10_000), says: "nested more than"),
        hostile(
            "a shape that overflows", ONNXBytes.model(ONNXBytes.initializer("w", [1 << 62, 8])),
            says: "shape that overflows"),
        hostile(
            "an overflow hidden by a zero",
            ONNXBytes.model(ONNXBytes.initializer("w", [1 << 62, 8, 0])),
            says: "shape that overflows"),
        hostile(
            "a negative length", ONNXBytes.model(ONNXBytes.initializer("w", [.max])),
            says: "shape that overflows"),
        hostile(
            "a hundred dimensions",
            ONNXBytes.model(ONNXBytes.initializer("w", [UInt64](repeating: 1, count: 100))),
            says: "more than 64 dimensions"),
        hostile(
            "a name of 5,000 bytes",
            ONNXBytes.model(ONNXBytes.initializer(String(repeating: "n", count: 5_000), [1])),
            says: "at most 4096"),
        hostile(
            "a name that is not UTF-8", ONNXBytes.model(P.field(1, P.field(4, [0xff]))),
            says: "not UTF-8"),
    ]

    /// Places of data, and a part of what is said of each (`security.md`, class C).
    static let places: [(String, String)] = [
        ("/etc/passwd", "an absolute path"), ("//etc/passwd", "an absolute path"),
        ("C:/Windows/win.ini", "an absolute path"), ("C:\\x", "an absolute path"),
        ("\\\\server\\share", "an absolute path"), ("~/.ssh/id_rsa", "an absolute path"),
        ("file:///etc/passwd", "an absolute path"), ("../secret", "no path inside"),
        ("a/../b", "no path inside"), ("a/../../b", "no path inside"),
        ("./w.bin", "no path inside"), ("a//w.bin", "no path inside"),
        ("..\\secret", "no path inside"), ("w.bin/", "no path inside"),
        ("w\0.bin", "no path inside"), ("missing.bin", "not in the model"),
        ("m.onnx", "the model file itself"), ("", "no file"),
    ]

    @Test("a malformed file is refused by name, quickly", arguments: malformed)
    func refused(model: HostileModel) async throws {
        try await model.expectRefusal(by: flavor)
    }

    @Test(
        "ONNXFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: ONNXFlavor(),
            good: [
                ConformanceModel("an ONNX file", files: ["m.onnx": ONNXBytes.good]),
                ConformanceModel(
                    "an ONNX file with external data",
                    files: [
                        "m.onnx": ONNXBytes.model(ONNXBytes.external("w.bin")),
                        "w.bin": [UInt8](repeating: 1, count: 24),
                    ]),
            ],
            bad: malformed.compactMap(\.conformance)))
    func conformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("a place of data outside the model is a danger and nothing is opened", arguments: places)
    func external(place: String, says: String) async throws {
        let source = WatchedSource([
            "m.onnx": ONNXBytes.model(ONNXBytes.external(place)), "w.bin": [0, 0], "secret": [1],
        ])
        let model = try await flavor.describe(source)
        #expect(model.findings.map(\.severity) == [.danger])
        #expect(model.findings.first?.message.contains(says) == true, "\(model.findings)")
        #expect(model.verdict == .dangerous)
        #expect(source.opened == ["m.onnx"])
    }

    @Test("tensors in attributes, branches, functions and sparse tensors are looked at too")
    func hiddenExternal() async throws {
        let tensor = ONNXBytes.tensor("t", [1], external: [("location", "../x")], location: 1)
        let attribute = P.field(5, P.field(5, tensor))
        let hidden: [(String, [UInt8])] = [
            ("an attribute", ONNXBytes.model(ONNXBytes.node("Constant", attributes: attribute))),
            (
                "a branch",
                ONNXBytes.model(
                    ONNXBytes.node(
                        "If", attributes: P.field(5, P.field(6, P.field(5, tensor)))))
            ),
            (
                "a function",
                ONNXBytes.model([], extra: P.field(25, P.field(7, attribute)))
            ),
            ("a sparse tensor", ONNXBytes.model(P.field(15, P.field(2, tensor)))),
            ("training", ONNXBytes.model([], extra: P.field(20, P.field(1, P.field(5, tensor))))),
            ("a list of tensors", ONNXBytes.model(P.field(1, P.field(5, P.field(10, tensor))))),
        ]
        for (what, bytes) in hidden {
            let model = try await flavor.describe(MemoryModelSource(["m.onnx": bytes]))
            #expect(model.findings.map(\.severity) == [.danger], "\(what)")
        }
    }

    @Test("data that begin or end past their file, or that are named twice, are a danger")
    func externalRanges() async throws {
        let cases: [([(String, String)], String)] = [
            ([("offset", "1")], "up to byte 25 of 24"), ([("length", "25")], "up to byte 25 of 24"),
            ([("offset", "18446744073709551615")], "2^64"), ([("offset", "-1")], "no number"),
            ([("length", "x")], "no number"), ([("length", "4")], "its shape needs 24"),
            ([("location", "w.bin")], "programs differ"),
        ]
        for (more, says) in cases {
            let model = try await flavor.describe(
                MemoryModelSource([
                    "d/m.onnx": ONNXBytes.model(ONNXBytes.external("w.bin", more)),
                    "d/w.bin": [UInt8](repeating: 0, count: 24),
                ]))
            #expect(model.findings.map(\.severity) == [.danger], "\(more)")
            #expect(model.findings.first?.message.contains(says) == true, "\(model.findings)")
        }
        let half = ONNXBytes.initializer("w", [1], raw: 4, external: [("location", "w.bin")])
        let model = try await flavor.describe(
            MemoryModelSource(["m.onnx": ONNXBytes.model(half), "w.bin": [0]]))
        #expect(model.findings.map(\.severity) == [.danger])
    }

    @Test("a right model has tensors, a signature in MLflow's form and no finding")
    func good() async throws {
        let model = try await flavor.describe(MemoryModelSource(["m.onnx": ONNXBytes.good]))
        #expect(model.tensors == [TensorDescription(name: "w", dtype: "F32", shape: [2, 3])])
        #expect(model.parameters == 6)
        #expect(model.memoryBytes == 24)
        #expect(model.findings == [])
        #expect(model.verdict == .safe)
        #expect(model.flavors.first?.facts["operator_counts"] == "MatMul:1,Relu:1")
        #expect(
            model.signature == """
                {"inputs":[{"name":"x","type":"tensor","tensor-spec":{"dtype":"float32",\
                "shape":[-1,2]}}],"outputs":[{"name":"y","type":"tensor","tensor-spec":\
                {"dtype":"float32","shape":[-1,3]}}],"params":null}
                """)
    }

    @Test("operators of a strange domain make the verdict unknown, those of the model not")
    func customOperators() async throws {
        let strange = ONNXBytes.model(ONNXBytes.node("Evil", domain: "com.evil"))
        var model = try await flavor.describe(MemoryModelSource(["m.onnx": strange]))
        #expect(model.findings.map(\.severity) == [.warning])
        #expect(model.verdict == .unknown)
        let function = P.field(25, P.field(1, "Mine") + P.field(10, "own"))
        let own = ONNXBytes.model(ONNXBytes.node("Mine", domain: "own"), extra: function)
        model = try await flavor.describe(MemoryModelSource(["m.onnx": own]))
        #expect(model.findings == [])
        #expect(model.verdict == .safe)
    }

    @Test("weights are skipped: a file of 3 GiB is described from a few thousand bytes")
    func huge() async throws {
        let raw: UInt64 = 3 << 30
        let head = P.field(1, raw / 4) + P.field(2, 1) + P.field(8, "w") + [0x4a] + P.varint(raw)
        let initializer = [0x2a] + P.varint(UInt64(head.count) + raw) + head
        let start = P.field(1, 10) + [0x3a] + P.varint(UInt64(initializer.count) + raw)
        let bytes = start + initializer
        let source = MemoryModelSource(
            ["m.onnx": bytes], sizes: ["m.onnx": UInt64(bytes.count) + raw])
        let model = try await flavor.describe(source)
        #expect(model.tensors == [TensorDescription(name: "w", dtype: "F32", shape: [raw / 4])])
        #expect(source.reads.bytes <= 16 << 10)
    }
}
