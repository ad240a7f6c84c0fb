import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("Differences of signatures")
struct SignatureDiffTests {
    /// A signature of these inputs, outputs and params, each a JSON list or null.
    private static func signature(
        _ inputs: String = "null", _ outputs: String = "null", _ params: String = "null"
    ) -> String {
        "{\"inputs\":\(inputs),\"outputs\":\(outputs),\"params\":\(params)}"
    }

    private static func column(_ type: String, _ name: String = "x", required: Bool = true)
        -> String
    {
        "{\"type\":\"\(type)\",\"name\":\"\(name)\",\"required\":\(required)}"
    }

    private static func tensor(_ dtype: String, _ shape: String) -> String {
        "{\"type\":\"tensor\",\"tensor-spec\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape)}}"
    }

    private static func param(_ type: String, _ standard: String, shape: String = "null") -> String
    {
        "{\"name\":\"p\",\"type\":\"\(type)\",\"default\":\(standard),\"shape\":\(shape)}"
    }

    private func entries(_ before: String, _ after: String) throws -> [ModelDiff.Entry] {
        SignatureDiff.entries(
            try SignatureSchema(parsing: before), try SignatureSchema(parsing: after))
    }

    /// What a change of the only input, output or param comes to: "breaking", "compatible", or
    /// "same".
    private func verdict(_ before: String, _ after: String) throws -> String {
        let found = try entries(before, after)
        if found.isEmpty { return "same" }
        return found.contains { $0.isBreaking } ? "breaking" : "compatible"
    }

    @Test(
        "an input may become wider, an output narrower, and never the other way round",
        arguments: [
            ("integer", "long"), ("integer", "double"), ("float", "double"), ("string", "binary"),
            ("long", "any"),
        ])
    func width(narrow: String, wide: String) throws {
        let (one, other) = ("[\(Self.column(narrow))]", "[\(Self.column(wide))]")
        #expect(try verdict(Self.signature(one), Self.signature(other)) == "compatible")
        #expect(try verdict(Self.signature(other), Self.signature(one)) == "breaking")
        let (given, taken) = (Self.signature("null", one), Self.signature("null", other))
        #expect(try verdict(given, taken) == "breaking")
        #expect(try verdict(taken, given) == "compatible")
        #expect(try verdict(given, given) == "same")
    }

    @Test(
        "types that lose something or have nothing in common break both ways",
        arguments: [
            ("long", "double"), ("long", "float"), ("integer", "float"), ("string", "double"),
            ("boolean", "integer"), ("datetime", "string"),
        ])
    func unlike(one: String, other: String) throws {
        let (before, after) = ("[\(Self.column(one))]", "[\(Self.column(other))]")
        for (old, new) in [(before, after), (after, before)] {
            #expect(try verdict(Self.signature(old), Self.signature(new)) == "breaking")
            #expect(
                try verdict(Self.signature("null", old), Self.signature("null", new))
                    == "breaking")
        }
    }

    @Test("an input that becomes required breaks, one that becomes optional does not")
    func required() throws {
        let must = "[\(Self.column("double"))]"
        let may = "[\(Self.column("double", required: false))]"
        #expect(try verdict(Self.signature(must), Self.signature(may)) == "compatible")
        #expect(try verdict(Self.signature(may), Self.signature(must)) == "breaking")
        #expect(
            try verdict(Self.signature("null", must), Self.signature("null", may)) == "breaking")
        #expect(
            try verdict(Self.signature("null", may), Self.signature("null", must))
                == "compatible")
    }

    @Test("columns come and go: what must be given now, and what is not given any more, breaks")
    func columns() throws {
        let one = Self.column("double", "a")
        let other = Self.column("double", "b")
        let optional = Self.column("double", "b", required: false)
        let (short, long) = ("[\(one)]", "[\(one),\(other)]")
        #expect(try verdict(Self.signature(short), Self.signature(long)) == "breaking")
        #expect(
            try verdict(Self.signature(short), Self.signature("[\(one),\(optional)]"))
                == "compatible")
        #expect(try verdict(Self.signature(long), Self.signature(short)) == "compatible")
        #expect(
            try verdict(Self.signature("null", long), Self.signature("null", short)) == "breaking")
        #expect(
            try verdict(Self.signature("null", short), Self.signature("null", long))
                == "compatible")
        #expect(
            try verdict(Self.signature(long), Self.signature("[\(other),\(one)]")) == "same")
        let found = try entries(Self.signature(short), Self.signature(long))
        #expect(found == [.added("input b", "double").breaking(true)])
    }

    @Test("tensors keep their type and rank; only a length may become free")
    func tensors() throws {
        func both(_ before: String, _ after: String) throws -> [String] {
            let (old, new) = ("[\(before)]", "[\(after)]")
            return [
                try verdict(Self.signature(old), Self.signature(new)),
                try verdict(Self.signature("null", old), Self.signature("null", new)),
            ]
        }
        let fixed = Self.tensor("float32", "[-1,28]")
        let free = Self.tensor("float32", "[-1,-1]")
        #expect(try both(fixed, free) == ["compatible", "breaking"])
        #expect(try both(free, fixed) == ["breaking", "compatible"])
        for other in [
            Self.tensor("float64", "[-1,28]"), Self.tensor("float32", "[-1,28,1]"),
            Self.tensor("float32", "[-1,29]"),
        ] {
            #expect(try both(fixed, other) == ["breaking", "breaking"])
        }
        #expect(try both(fixed, Self.column("float")) == ["breaking", "breaking"])
    }

    @Test("a param may come, go and have another default; its type may only become wider")
    func params() throws {
        func verdict(_ before: String, _ after: String) throws -> String {
            try self.verdict(
                Self.signature("null", "null", before), Self.signature("null", "null", after))
        }
        let whole = "[\(Self.param("long", "3"))]"
        #expect(try verdict("null", whole) == "compatible")
        #expect(try verdict(whole, "null") == "compatible")
        #expect(try verdict(whole, "[\(Self.param("long", "4"))]") == "compatible")
        #expect(try verdict(whole, "[\(Self.param("double", "3.0"))]") == "compatible")
        #expect(try verdict("[\(Self.param("double", "3.0"))]", whole) == "breaking")
        #expect(try verdict(whole, "[\(Self.param("string", "\"3\""))]") == "breaking")
        let list = "[\(Self.param("long", "[3]", shape: "[-1]"))]"
        #expect(try verdict(whole, list) == "breaking")
        let found = try entries(
            Self.signature("null", "null", whole),
            Self.signature("null", "null", "[\(Self.param("long", "4"))]"))
        #expect(found == [.changed("param p", "long = 3", "long = 4", note: "another default")])
    }

    @Test("objects are compared by their properties, of which no unknown one may be given")
    func objects() throws {
        func object(_ properties: String) -> String {
            "[{\"name\":\"x\",\"type\":\"object\",\"properties\":{\(properties)}}]"
        }
        let narrow = object("\"a\":{\"type\":\"integer\",\"required\":true}")
        let wide = object("\"a\":{\"type\":\"long\",\"required\":true}")
        let more = object(
            "\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\",\"required\":false}")
        #expect(try verdict(Self.signature(narrow), Self.signature(wide)) == "compatible")
        #expect(try verdict(Self.signature(wide), Self.signature(narrow)) == "breaking")
        #expect(try verdict(Self.signature(narrow), Self.signature(more)) == "compatible")
        #expect(try verdict(Self.signature(more), Self.signature(narrow)) == "breaking")
        func list(_ type: String) -> String {
            Self.signature("[{\"name\":\"x\",\"type\":\"array\",\"items\":{\"type\":\"\(type)\"}}]")
        }
        #expect(try verdict(list("float"), list("double")) == "compatible")
        #expect(try verdict(list("double"), list("float")) == "breaking")
    }

    @Test("a signature that comes restricts callers, one that goes promises nothing")
    func appearing() throws {
        let column = "[\(Self.column("double"))]"
        let none = try SignatureSchema(parsing: Self.signature())
        let inputs = try SignatureSchema(parsing: Self.signature(column))
        let outputs = try SignatureSchema(parsing: Self.signature("null", column))
        #expect(SignatureDiff.entries(none, inputs).map(\.isBreaking) == [true])
        #expect(SignatureDiff.entries(inputs, none).map(\.isBreaking) == [false])
        #expect(SignatureDiff.entries(none, outputs).map(\.isBreaking) == [false])
        #expect(SignatureDiff.entries(outputs, none).map(\.isBreaking) == [true])
    }

    @Test("lists stand in a signature as they are or as texts, as MLmodel has them")
    func forms() throws {
        let plain = Self.signature("[\(Self.column("double"))]")
        let quoted =
            "{\"inputs\":\"[{\\\"type\\\":\\\"double\\\",\\\"name\\\":\\\"x\\\"}]\","
            + "\"outputs\":\"null\"}"
        #expect(try SignatureSchema(parsing: plain) == SignatureSchema(parsing: quoted))
    }

    @Test("a torn signature is an error, and so is one nested without end")
    func torn() throws {
        let whole = Self.signature(
            "[\(Self.column("double")),\(Self.column("long", "y"))]",
            "[\(Self.tensor("float32", "[-1,3]"))]", "[\(Self.param("long", "3"))]")
        _ = try SignatureSchema(parsing: whole)
        for end in whole.indices {
            #expect(throws: LinajeError.self) {
                try SignatureSchema(parsing: String(whole[..<end]))
            }
        }
        let deep = String(repeating: "{\"type\":\"array\",\"items\":", count: 10_000)
        #expect(throws: LinajeError.self) {
            try SignatureSchema(parsing: "{\"inputs\":[" + deep)
        }
    }

    @Test("changed bytes of a signature are an error or another signature, never a trap")
    func mutated() throws {
        let whole = Array(
            Self.signature(
                "[\(Self.column("double"))]", "[\(Self.tensor("float32", "[-1,3]"))]",
                "[\(Self.param("long", "3"))]"
            ).utf8)
        var generator = SeededBytes(1_859)
        for _ in 0..<3_000 {
            var bytes = whole
            for _ in 0..<(1 + Int(generator.next() % 4)) {
                let place = Int(generator.next() % UInt64(bytes.count))
                bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            }
            guard
                let schema = try? SignatureSchema(parsing: String(decoding: bytes, as: UTF8.self))
            else { continue }
            _ = SignatureDiff.entries(schema, try SignatureSchema(parsing: Self.signature()))
        }
    }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct SeededBytes {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
