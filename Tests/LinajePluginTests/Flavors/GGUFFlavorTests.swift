import GGUFFlavor
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("GGUFFlavor")
struct GGUFFlavorTests {
    private let flavor = GGUFFlavor()

    private static func hostile(
        _ what: String, _ file: GGUFBytes, data: Int = 0, size: UInt64? = nil, says: String
    ) -> HostileModel {
        HostileModel(what, "m.gguf", file.file(data: data), size: size, says: says)
    }

    private static let u32 = GGUFBytes.u32
    private static let u64 = GGUFBytes.u64
    private static let text = GGUFBytes.text

    static let counts: [HostileModel] = [
        HostileModel("an empty file", "m.gguf", [], says: "does not begin with GGUF"),
        HostileModel("another magic", "m.gguf", Array("GGML".utf8) + u32(3), says: "begin with"),
        HostileModel("the magic alone", "m.gguf", Array("GGUF".utf8), says: "ends inside"),
        hostile("version 1", GGUFBytes(version: 1), says: "version 1"),
        hostile("version 4", GGUFBytes(version: 4), says: "version 4"),
        hostile("version 0", GGUFBytes(version: 0), says: "version 0"),
        hostile("2^63 keys", GGUFBytes().counts(keys: 1 << 63), says: "9223372036854775808 keys"),
        hostile("2^64-1 tensors", GGUFBytes().counts(tensors: .max), says: "tensors; at most"),
        hostile("more keys than bytes", GGUFBytes().counts(keys: 60_000), says: "60000 keys, more"),
        hostile(
            "more tensors than bytes", GGUFBytes().counts(tensors: 60_000),
            says: "60000 tensors, more"),
        HostileModel(
            "a key of 2^63 bytes", "m.gguf",
            GGUFBytes().counts(keys: 1).file() + u64(1 << 63) + [UInt8](repeating: 0, count: 20),
            says: "a key of 9223372036854775808 bytes"),
        hostile(
            "a text of 2^63 bytes", GGUFBytes().key("k", 8, u64(1 << 63)), says: "ends inside"),
        hostile(
            "an array of 2^63 elements", GGUFBytes().key("k", 9, u32(4) + u64(1 << 63)),
            says: "elements of \"k\", more than the file"),
        hostile(
            "an array of 10^9 elements in a long file",
            GGUFBytes().key("k", 9, u32(8) + u64(500_000_000)), size: 5 << 30,
            says: "500000000 elements; at most"),
        hostile(
            "a header longer than what is read",
            GGUFBytes().key("k", 9, u32(0) + u64(32 << 20)), size: 5 << 30,
            says: "a header of more than 33554432 bytes"),
    ]

    static let values: [HostileModel] = [
        hostile("a key twice", GGUFBytes().key("k", 0, [1]).key("k", 0, [1]), says: "\"k\" twice"),
        hostile("an unknown type", GGUFBytes().key("k", 13, [0]), says: "type 13"),
        hostile(
            "an array of arrays", GGUFBytes().key("k", 9, u32(9) + u64(1) + u32(0) + u64(0)),
            says: "array of arrays"),
        hostile(
            "elements of an unknown type", GGUFBytes().key("k", 9, u32(77) + u64(1)),
            says: "elements of the type 77"),
        hostile("a bool of 2", GGUFBytes().key("k", 7, [2]), says: "the bool 2"),
        hostile(
            "a text that is not UTF-8", GGUFBytes().key("k", 8, u64(1) + [0xff]),
            says: "not UTF-8"),
        hostile(
            "alignment 0", GGUFBytes().key("general.alignment", 4, u32(0)), says: "alignment 0"),
        hostile(
            "alignment 3", GGUFBytes().key("general.alignment", 4, u32(3)), says: "alignment 3"),
        hostile(
            "alignment 2^31", GGUFBytes().key("general.alignment", 4, u32(1 << 31)),
            says: "alignment 2147483648"),
        hostile(
            "an alignment that is text", GGUFBytes().key("general.alignment", 8, text("32")),
            says: "alignment 32"),
        hostile(
            "a negative alignment", GGUFBytes().key("general.alignment", 5, u32(.max)),
            says: "alignment -1"),
    ]

    static let tensors: [HostileModel] = [
        hostile(
            "a million dimensions", GGUFBytes().tensor("t", 0, [1], at: 0, dimensions: 1_000_000),
            says: "1000000 dimensions"),
        hostile(
            "5 dimensions", GGUFBytes().tensor("t", 0, [1, 1, 1, 1, 1], at: 0),
            says: "5 dimensions"),
        hostile(
            "a product that wraps", GGUFBytes().tensor("t", 0, [1 << 32, 1 << 32], at: 0),
            says: "shape that overflows"),
        hostile(
            "a product that wraps to what is there",
            GGUFBytes().tensor("t", 0, [1 << 62, 4, 8], at: 0), data: 32,
            says: "shape that overflows"),
        hostile(
            "an overflow hidden by a zero",
            GGUFBytes().tensor("t", 0, [1 << 32, 1 << 32, 0], at: 0), says: "shape that overflows"),
        hostile(
            "a negative length", GGUFBytes().tensor("t", 0, [.max], at: 0),
            says: "shape that overflows"),
        hostile(
            "a size in bytes that wraps", GGUFBytes().tensor("t", 28, [1 << 61, 2], at: 0),
            says: "size that overflows"),
        hostile("an unknown type", GGUFBytes().tensor("t", 999, [1], at: 0), says: "type 999"),
        hostile("a type no longer read", GGUFBytes().tensor("t", 4, [32], at: 0), says: "type 4"),
        hostile(
            "rows that are no blocks", GGUFBytes().tensor("t", 8, [33], at: 0), data: 68,
            says: "no multiple of the 32"),
        hostile(
            "a tensor twice",
            GGUFBytes().tensor("t", 0, [8], at: 0).tensor("t", 0, [8], at: 32), data: 64,
            says: "\"t\" twice"),
        hostile(
            "a gap", GGUFBytes().tensor("t", 0, [8], at: 0).tensor("u", 0, [8], at: 64), data: 96,
            says: "\"u\" at 64, where a gap ends"),
        hostile(
            "an overlap", GGUFBytes().tensor("t", 0, [8], at: 0).tensor("u", 0, [8], at: 0),
            data: 64, says: "another tensor's lies"),
        hostile("an offset of 2^64-1", GGUFBytes().tensor("t", 0, [8], at: .max), says: "a gap"),
        hostile(
            "data that is cut", GGUFBytes().tensor("t", 0, [8], at: 0), data: 31,
            says: "is truncated"),
        hostile(
            "a tensor longer than the file", GGUFBytes().tensor("t", 0, [1 << 40], at: 0),
            data: 32, says: "is truncated"),
        hostile(
            "a name of 300 bytes",
            GGUFBytes().tensor(String(repeating: "n", count: 300), 0, [8], at: 0), data: 32,
            says: "at most 256"),
    ]

    @Test("a hostile file is refused by name, quickly", arguments: counts + values + tensors)
    func refused(model: HostileModel) async throws {
        try await model.expectRefusal(by: flavor)
    }

    @Test(
        "GGUFFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: GGUFFlavor(),
            good: [ConformanceModel("a GGUF file", files: ["m.gguf": GGUFBytes.good])],
            bad: (counts + values + tensors).compactMap(\.conformance)))
    func conformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("a right file is described with its architecture, tensors, memory and licence")
    func good() async throws {
        let model = try await flavor.describe(MemoryModelSource(["d/m.gguf": GGUFBytes.good]))
        #expect(
            model.tensors == [
                TensorDescription(name: "a", dtype: "F32", shape: [3, 2]),
                TensorDescription(name: "b", dtype: "Q8_0", shape: [32]),
            ])
        #expect(model.parameters == 38)
        #expect(model.memoryBytes == 24 + 34)
        #expect(model.license == "mit")
        #expect(model.files == [ModelFileDescription(path: "d/m.gguf", role: .weights)])
        let facts = try #require(model.flavors.first?.facts)
        #expect(model.flavors.map(\.version) == ["3"])
        #expect(facts["architecture"] == "llama")
        #expect(facts["quantization"] == "F16")
        #expect(facts["context_length"] == "512")
        #expect(facts["vocabulary"] == "2")
        #expect(model.findings == [])
        #expect(model.verdict == nil)
    }

    @Test("bytes after the data are a warning")
    func trailing() async throws {
        let bytes = GGUFBytes.good + [UInt8](repeating: 0, count: 40)
        let model = try await flavor.describe(MemoryModelSource(["m.gguf": bytes]))
        #expect(model.findings.map(\.severity) == [.warning])
        #expect(model.findings[0].message.contains("10 bytes follow"))
    }

    @Test("a part that is not there is a warning")
    func missingPart() async throws {
        let part = GGUFBytes().key("split.no", 2, [0, 0]).key("split.count", 2, [3, 0])
        let model = try await flavor.describe(
            MemoryModelSource(["m-00001-of-00003.gguf": part.file()]))
        #expect(model.findings.map(\.message) == ["1 of its 3 parts are in the model"])
    }

    @Test("a chat template that reaches for Python is a danger, another is safe")
    func templates() async throws {
        func describe(_ template: String) async throws -> ModelDescription {
            let file = GGUFBytes().key("tokenizer.chat_template", 8, Self.text(template)).file()
            return try await flavor.describe(MemoryModelSource(["m.gguf": file]))
        }
        let good = try await describe("{% for m in messages %}__start__{{ m.content }}{% endfor %}")
        #expect(good.verdict == .safe)
        #expect(good.findings == [])
        for bad in [
            "{{ ().__class__.__mro__ }}", "{{ x['__glo' ~ 'bals__'] }}{{ x|attr('a') }}",
            "{{ cycler.__foo }}", "{{ ''['\\x5f\\x5fclass'] }}",
        ] {
            let model = try await describe(bad)
            #expect(model.verdict == .dangerous, "\(bad)")
            #expect(model.findings.map(\.severity) == [.danger], "\(bad)")
        }
    }

    @Test("a file of 5 GiB is described from its header alone")
    func huge() async throws {
        let elements: UInt64 = (5 << 30) / 4
        let bytes = GGUFBytes().tensor("w", 0, [elements], at: 0).file(data: 1)
        let source = MemoryModelSource(
            ["m.gguf": bytes], sizes: ["m.gguf": UInt64(bytes.count - 1) + elements * 4])
        let model = try await flavor.describe(source)
        #expect(model.parameters == elements)
        #expect(source.reads.count == 1)
        #expect(source.reads.bytes <= 64 << 10)
    }
}
