import LinajeConformance
import LinajeDomain
import LinajePluginKit
import SafetensorsFlavor
import Testing

@Suite("SafetensorsFlavor")
struct SafetensorsFlavorTests {
    private let flavor = SafetensorsFlavor()

    /// A file that must be refused, and a part of the message.
    struct Hostile: Sendable, CustomTestStringConvertible {
        var what: String
        var bytes: [UInt8]
        var size: UInt64?
        var says: String
        var testDescription: String { what }

        init(_ what: String, _ bytes: [UInt8], size: UInt64? = nil, says: String) {
            self.what = what
            self.bytes = bytes
            self.size = size
            self.says = says
        }
    }

    private static func tensors(_ entries: String..., data: Int) -> [UInt8] {
        SafetensorsBytes.file("{\(entries.joined(separator: ","))}", data: data)
    }

    private static let entry = SafetensorsBytes.entry

    static let lengths: [Hostile] = [
        Hostile("an empty file", [], says: "0 bytes"),
        Hostile("7 bytes", [1, 0, 0, 0, 0, 0, 0], says: "7 bytes"),
        Hostile(
            "header length 0", SafetensorsBytes.length(0) + [0x7b, 0x7d], says: "empty header"),
        Hostile("header length 1", SafetensorsBytes.length(1) + [0x7b], says: "empty header"),
        Hostile(
            "header longer than the file", SafetensorsBytes.length(100) + [0x7b, 0x7d],
            says: "truncated"),
        Hostile("header length 2^64-1", SafetensorsBytes.length(.max) + [0x7b], says: "truncated"),
        Hostile("header length 2^63", SafetensorsBytes.length(1 << 63), says: "truncated"),
        Hostile(
            "header of 101 MB", SafetensorsBytes.length(101_000_000), size: 1 << 40,
            says: "at most 16777216"),
        Hostile(
            "header one byte over the bound", SafetensorsBytes.length((16 << 20) + 1),
            size: 1 << 40, says: "at most 16777216"),
    ]

    static let texts: [Hostile] = [
        Hostile("no JSON", SafetensorsBytes.file("hello, world"), says: "begin with"),
        Hostile("an array", SafetensorsBytes.file("[]"), says: "begin with"),
        Hostile("a header that begins with a space", SafetensorsBytes.file(" {}"), says: "begin"),
        Hostile("a torn object", SafetensorsBytes.file("{\"a\":"), says: "the header of m"),
        Hostile("bytes after the object", SafetensorsBytes.file("{}x"), says: "after its JSON"),
        Hostile("two objects", SafetensorsBytes.file("{}{}"), says: "after its JSON"),
        Hostile(
            "a name that is not UTF-8",
            SafetensorsBytes.file(header: Array("{\"".utf8) + [0xff] + Array("\":{}}".utf8)),
            says: "UTF-8"),
        Hostile(
            "deep nesting",
            SafetensorsBytes.file("{\"a\":" + String(repeating: "[", count: 100_000)),
            says: "does not have an object"),
        Hostile(
            "deep nesting in a shape",
            SafetensorsBytes.file(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":" + String(repeating: "[", count: 100_000)),
            says: "where a whole number"),
        Hostile(
            "metadata that is no text", SafetensorsBytes.file("{\"__metadata__\":{\"a\":1}}"),
            says: "no string"),
        Hostile(
            "metadata twice", SafetensorsBytes.file("{\"__metadata__\":{},\"__metadata__\":{}}"),
            says: "twice"),
        Hostile(
            "a tensor twice",
            tensors(entry("a", "U8", "1", "0,1"), entry("a", "U8", "1", "1,2"), data: 2),
            says: "\"a\" twice"),
        Hostile(
            "a key twice",
            SafetensorsBytes.file(
                "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
                data: 1), says: "twice"),
        Hostile(
            "an unknown key",
            SafetensorsBytes.file(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"offsets\":[0,1]}}", data: 1),
            says: "unknown key \"offsets\""),
        Hostile(
            "a missing key", SafetensorsBytes.file("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}"),
            says: "tensor \"a\" must have"),
    ]

    static let layouts: [Hostile] = [
        Hostile(
            "an unknown dtype", tensors(entry("a", "Q8", "1", "0,1"), data: 1),
            says: "tensor \"a\" has the unknown dtype \"Q8\""),
        Hostile(
            "overlapping data",
            tensors(entry("a", "U8", "4", "0,4"), entry("b", "U8", "4", "2,6"), data: 6),
            says: "tensor \"b\""),
        Hostile(
            "the same data twice",
            tensors(entry("a", "U8", "4", "0,4"), entry("b", "U8", "4", "0,4"), data: 4),
            says: "tensor \"b\""),
        Hostile(
            "a gap",
            tensors(entry("a", "U8", "4", "0,4"), entry("b", "U8", "4", "5,9"), data: 9),
            says: "tensor \"b\" begins at 5, where a gap ends"),
        Hostile(
            "a gap at the start", tensors(entry("a", "U8", "4", "1,5"), data: 5), says: "gap"),
        Hostile(
            "offsets backwards", tensors(entry("a", "U8", "4", "4,0"), data: 4),
            says: "tensor \"a\""),
        Hostile(
            "a size that the shape does not give",
            tensors(entry("a", "F32", "2,2", "0,15"), data: 15),
            says: "needs 16 bytes"),
        Hostile(
            "half a byte", tensors(entry("a", "F4", "3", "0,1"), data: 1), says: "whole number"),
        Hostile(
            "a shape that overflows",
            tensors(entry("a", "U8", "4294967296,4294967296", "0,0"), data: 0),
            says: "overflows"),
        Hostile(
            "a size that overflows",
            tensors(entry("a", "F64", "2305843009213693952", "0,0"), data: 0),
            says: "whole number"),
        Hostile(
            "an overflow hidden by a zero",
            tensors(entry("a", "U8", "4294967296,4294967296,0", "0,0"), data: 0),
            says: "overflows"),
        Hostile(
            "a negative dimension", tensors(entry("a", "U8", "-1", "0,1"), data: 1),
            says: "has -1"),
        Hostile(
            "a dimension that is no number", tensors(entry("a", "U8", "1.0", "0,1"), data: 1),
            says: "1.0"),
        Hostile(
            "65 dimensions",
            tensors(
                entry("a", "U8", [String](repeating: "1", count: 65).joined(separator: ","), "0,1"),
                data: 1), says: "more than 64"),
        Hostile(
            "three offsets", tensors(entry("a", "U8", "1", "0,1,2"), data: 2), says: "more than 2"),
        Hostile("one offset", tensors(entry("a", "U8", "1", "0"), data: 1), says: "must have"),
        Hostile(
            "offsets at 2^64",
            tensors(
                entry("a", "U8", "18446744073709551615", "0,18446744073709551615"), data: 1),
            says: "whole number"),
        Hostile(
            "data beyond the file", tensors(entry("a", "U8", "100", "0,100"), data: 99),
            says: "truncated"),
        Hostile(
            "trailing bytes, a polyglot", tensors(entry("a", "U8", "4", "0,4"), data: 5),
            says: "followed by other bytes"),
        Hostile(
            "no tensors but data", SafetensorsBytes.file("{}", data: 1), says: "followed by"),
    ]

    @Test("a hostile file is refused by name", arguments: lengths + texts + layouts)
    func hostile(file: Hostile) async throws {
        let source = MemoryModelSource(
            ["m.safetensors": file.bytes],
            sizes: file.size.map { ["m.safetensors": $0] } ?? [:])
        let error = await #expect(throws: LinajeError.self) {
            try await flavor.describe(source)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("m.safetensors") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(file.says) == true, "\(error?.message ?? "")")
        #expect(source.reads.bytes <= 8 + file.bytes.count)
    }

    @Test("100,000 tensors in one file are refused")
    func manyTensors() async throws {
        let entries = (0..<100_000).map {
            "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
        }
        let bytes = SafetensorsBytes.file("{\(entries.joined(separator: ","))}")
        let error = await #expect(throws: LinajeError.self) {
            try await flavor.describe(MemoryModelSource(["m.safetensors": bytes]))
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("more than 65536 tensors") == true)
    }

    @Test("a right file is described with tensors, parameters and metadata")
    func good() async throws {
        let source = MemoryModelSource(["sub/m.safetensors": SafetensorsBytes.good])
        let model = try await flavor.describe(source)
        #expect(
            model.tensors == [
                TensorDescription(name: "a", dtype: "F32", shape: [2, 3]),
                TensorDescription(name: "b", dtype: "BF16", shape: [4]),
                TensorDescription(name: "scalar", dtype: "I64", shape: []),
            ])
        #expect(model.parameters == 11)
        let facts = try #require(model.flavors.first?.facts)
        #expect(model.flavors.map(\.name) == ["safetensors"])
        #expect(facts["metadata.format"] == "pt")
        #expect(facts["dtypes"] == "BF16,F32,I64")
        #expect(facts["data_bytes"] == "40")
        #expect(facts["files"] == "1")
    }

    @Test("a header that is not a multiple of 8 long is a warning")
    func unaligned() async throws {
        let file = SafetensorsBytes.file(
            "{\(SafetensorsBytes.entry("a", "F32", "1", "0,4"))} ", data: 4)
        let odd =
            (file.count - 4).isMultiple(of: 8)
            ? SafetensorsBytes.file("{\(SafetensorsBytes.entry("a", "F32", "1", "0,4"))}", data: 4)
            : file
        let model = try await flavor.describe(MemoryModelSource(["m.safetensors": odd]))
        #expect(model.findings.map(\.severity) == [.warning])
        #expect(model.parameters == 1)
    }

    @Test("a file of 5 GiB is described from its header alone")
    func huge() async throws {
        let elements: UInt64 = (5 << 30) / 4
        let header = "{\(SafetensorsBytes.entry("w", "F32", "\(elements)", "0,\(elements * 4)"))}"
        let bytes = SafetensorsBytes.file(header)
        let source = MemoryModelSource(
            ["m.safetensors": bytes],
            sizes: ["m.safetensors": UInt64(bytes.count) + elements * 4])
        let model = try await flavor.describe(source)
        #expect(model.parameters == elements)
        #expect(source.reads.bytes == bytes.count)
    }

    @Test("shards are one model, and an index that disagrees is a warning")
    func index() async throws {
        let one = Self.tensors(Self.entry("a", "U8", "8", "0,8"), data: 8)
        let two = Self.tensors(Self.entry("b", "U8", "8", "0,8"), data: 8)
        func findings(_ map: String) async throws -> [String] {
            let index = "{\"metadata\":{\"total_size\":16},\"weight_map\":{\(map)}}"
            let model = try await flavor.describe(
                MemoryModelSource([
                    "d/m-1.safetensors": one, "d/m-2.safetensors": two,
                    "d/m.safetensors.index.json": Array(index.utf8),
                ]))
            #expect(model.parameters == 16)
            return model.findings.filter { $0.path.hasSuffix(".json") }.map(\.message)
        }
        let right = "\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\""
        #expect(try await findings(right) == [])
        let missing = try await findings(right + ",\"c\":\"m-3.safetensors\"")
        #expect(missing == ["it names \"d/m-3.safetensors\", which is not in the model"])
        let swapped = try await findings("\"b\":\"m-1.safetensors\",\"a\":\"m-2.safetensors\"")
        #expect(swapped.count == 2, "\(swapped)")
        let outside = try await findings(right + ",\"c\":\"../../etc/passwd\"")
        #expect(outside.count == 1)
    }

    @Test("a tensor in two shards is a warning")
    func duplicates() async throws {
        let one = Self.tensors(Self.entry("a", "U8", "8", "0,8"), data: 8)
        let model = try await flavor.describe(
            MemoryModelSource(["m-1.safetensors": one, "m-2.safetensors": one]))
        #expect(model.tensors.count == 1)
        #expect(model.findings.contains { $0.message == "tensor \"a\" is in m-1.safetensors too" })
    }

    @Test(
        "a malformed index is refused by name",
        arguments: [
            "", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{\"a\":1}}", "{\"a\":1,",
        ])
    func badIndex(text: String) async throws {
        let error = await #expect(throws: LinajeError.self) {
            try await flavor.describe(
                MemoryModelSource([
                    "m.safetensors": SafetensorsBytes.good,
                    "m.safetensors.index.json": Array(text.utf8),
                ]))
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("m.safetensors.index.json") == true)
    }
}
