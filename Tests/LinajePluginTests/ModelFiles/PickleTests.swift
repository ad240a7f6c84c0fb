import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit
import Testing

@Suite("pickles")
struct PickleTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var what: String
        var bytes: [UInt8]
        var verdict: ScanVerdict
        var says: String
        var testDescription: String { what }

        init(_ what: String, _ verdict: ScanVerdict, says: String = "", _ parts: [UInt8]...) {
            self.what = what
            self.verdict = verdict
            self.says = says
            bytes = [0x80, 4] + parts.flatMap(\.self) + [UInt8(ascii: ".")]
        }
    }

    private typealias P = PickleBytes
    private static let pipeline = P.global("sklearn.pipeline", "Pipeline") + P.empty + P.new
    private static let dtype =
        P.global("numpy", "dtype") + P.text("O8") + [0x89, 0x88, 0x87] + P.reduce

    static let samples: [Sample] = [
        Sample("plain values", .safe, P.ops("(K\u{1}N]}t")),
        Sample("an estimator", .safe, Array(P.estimator.dropFirst(2).dropLast())),
        Sample(
            "a known class that is only made without its constructor", .unknown,
            says: "class without its constructor",
            P.global("sklearn.pipeline", "Pipeline"), P.empty, P.reduce),
        Sample(
            "a known value that is called", .unknown, says: "only known as a value",
            P.global("numpy", "log1p"), P.empty, P.reduce),
        Sample(
            "a strange class", .unknown, says: "my.Model", P.global("my", "Model"), P.empty, P.new),
        Sample(
            "a denied name that is only taken", .dangerous, says: "os.system",
            P.global("os", "system")),
        Sample(
            "a denied name that is dropped again", .dangerous, says: "posix.system",
            P.global("posix", "system"), P.text("id"), [0x85], P.reduce, P.ops("0N")),
        Sample(
            "a name of Python 2", .dangerous, says: "builtins.eval",
            P.global("__builtin__", "eval")),
        Sample(
            "a name reached through an allowed module", .dangerous, says: "os.system",
            P.text("numpy"), P.text("os.system"), [0x93]),
        Sample(
            "a class inside a class", .unknown, says: "Outer.Inner", P.text("my"),
            P.text("Outer.Inner"), [0x93]),
        Sample(
            "a dunder", .dangerous, says: "machinery", P.text("numpy"), P.text("__loader__"), [0x93]
        ),
        Sample(
            "a name that is made while loading", .dangerous, says: "made while loading",
            P.global("builtins", "bytes"), P.empty, P.reduce, P.text("x"), [0x93]),
        Sample(
            "a name with escapes", .dangerous, says: "made while loading", P.ops("Vo\\u0073\n"),
            P.text("system"), [0x93]),
        Sample(
            "a call of what a call returned", .dangerous, says: "made while loading",
            P.global("collections", "OrderedDict"), P.empty, P.reduce, P.empty, P.reduce),
        Sample("an extension", .dangerous, says: "registry", [0x82, 1]),
        Sample("an id of the loader", .unknown, says: "by an id", P.text("x"), P.ops("Q")),
        Sample("memory of the loader", .unknown, says: "memory", [0x97]),
        Sample(
            "an attribute that Python calls", .dangerous, says: "calls by itself", pipeline,
            P.dict(("__setstate__", P.global("numpy", "log"))), P.build),
        Sample(
            "such an attribute, put into the state afterwards", .dangerous, says: "calls by itself",
            pipeline, P.ops("}") + [0x94], P.build, P.ops("0"), P.ops("h") + [0],
            P.text("__setstate__"), P.ops("Ns")),
        Sample(
            "such an attribute among the slots", .dangerous, says: "calls by itself", pipeline,
            P.ops("N"), P.dict(("__class__", P.ops("N"))), [0x86], P.build),
        Sample(
            "a state that is made while loading", .unknown, says: "state that it made", pipeline,
            P.global("collections", "OrderedDict"), P.empty, P.reduce, P.build),
        Sample(
            "a class that is changed", .dangerous, says: "changes sklearn.pipeline.Pipeline",
            P.global("sklearn.pipeline", "Pipeline"), P.ops("}"), P.build),
        Sample(
            "_reconstructor with a class", .safe, P.global("copyreg", "_reconstructor"),
            P.global("sklearn.pipeline", "Pipeline"), P.global("builtins", "object"), P.ops("N"),
            [0x87], P.reduce),
        Sample(
            "_reconstructor with something else", .dangerous, says: "other arguments",
            P.global("copyreg", "_reconstructor"), P.text("x"), [0x85], P.reduce),
        Sample(
            "_reconstructor that is passed on", .unknown, says: "passes on", P.ops("]"),
            P.global("copyreg", "_reconstructor"), P.ops("a")),
        Sample(
            "bytes of Python 2", .safe, P.global("_codecs", "encode"), P.text("a"),
            P.text("latin1"), [0x86], P.reduce),
        Sample(
            "another codec", .dangerous, says: "other arguments", P.global("_codecs", "encode"),
            P.text("a"), P.text("zip"), [0x86], P.reduce),
        Sample(
            "numbers that NumPy takes for objects", .dangerous, says: "numbers for objects", dtype,
            P.ops("(K") + [3], P.text("|"), P.ops("NNNJ\u{7f}\u{7f}\u{7f}\u{7f}K") + [1],
            P.ops("K") + [0], P.ops("t"), P.build),
        Sample("a key that no one has", .dangerous, says: "does not remember", P.ops("h") + [9]),
        Sample("an empty stack", .dangerous, says: "empty stack", P.ops("0")),
        Sample("no mark", .dangerous, says: "no mark", P.ops("t")),
        Sample(
            "another protocol", .dangerous, says: "something stands before", P.ops("N0"),
            [0x80, 4], P.ops("N")),
        Sample(
            "a frame that is too short", .dangerous, says: "over the end of its frame",
            [0x95, 1, 0, 0, 0, 0, 0, 0, 0], P.text("abc")),
        Sample("an unknown operation", .dangerous, says: "unknown operation 255", [0xff]),
    ]

    @Test("a pickle is judged by what loading it does", arguments: samples)
    func verdict(sample: Sample) async throws {
        let scan = try #require(try await scan(sample.bytes))
        #expect(scan.verdict == sample.verdict, "\(scan.problems)")
        let said = scan.problems.map(\.message)
        #expect(sample.says.isEmpty || said.contains { $0.contains(sample.says) }, "\(said)")
    }

    @Test("a pickle torn at any byte is never safe")
    func torn() async throws {
        for bytes in [P.estimator, P.pickle(P.dict(("a", P.text("b"))), P.ops("0N"))] {
            for length in 0..<bytes.count {
                let scan = try await scan(Array(bytes[..<length]))
                #expect(scan?.verdict == .dangerous, "\(length)")
            }
        }
    }

    @Test("a pickle with any bytes changed is judged, never a trap")
    func damaged() async throws {
        var generator = SeededGenerator(seed: 7)
        let samples = Self.samples.map(\.bytes) + [P.estimator, P.state, P.torch]
        for _ in 0..<20_000 {
            var bytes = samples.randomElement(using: &generator) ?? []
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                if Bool.random(using: &generator) {
                    bytes[place] = UInt8.random(in: 0...255, using: &generator)
                } else {
                    bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
            }
            await Task.yield()
            let name = ["m.pkl", "m.pt", "m"].randomElement(using: &generator) ?? ""
            _ = try await scan(bytes, as: name)
        }
    }

    @Test("what is between two pickles or after the last makes the file dangerous")
    func several() async throws {
        #expect(try await scan(P.estimator + P.estimator)?.pickles == 2)
        #expect(try await scan(P.estimator + P.estimator)?.verdict == .safe)
        for rest in [[0], [0xff, 0xff], P.ops("hello"), P.pickle(P.global("os", "system"))] {
            #expect(try await scan(P.estimator + rest)?.verdict == .dangerous)
        }
    }

    @Test("values inside one another without end are judged, quickly and without a trap")
    func deep() async throws {
        let depth = 200_000
        let tuples = P.ops(")") + [UInt8](repeating: 0x85, count: depth)
        #expect(try await scan(P.pickle(tuples))?.verdict == .safe)
        let marks = [UInt8](repeating: UInt8(ascii: "("), count: depth)
        #expect(try await scan(P.pickle(marks))?.verdict == .dangerous)
        // The same value many times in itself, as the fields of a type.
        var fields = P.ops("]") + [0x94]
        for _ in 0..<40 {
            fields += P.ops("(") + [0x68, 0, 0x68, 0, 0x68, 0] + P.ops("t") + [0x71, 0]
        }
        let type = P.global("numpy", "dtype") + P.text("V8") + [0x89, 0x88, 0x87] + P.reduce
        let state =
            P.ops("(K") + [3] + P.text("|") + P.ops("N") + [0x68, 0] + P.ops("h") + [0]
            + P.ops("K") + [8] + P.ops("K") + [1] + P.ops("K") + [0x10] + P.ops("tb")
        let found = try await scan(P.pickle(fields, P.ops("0"), type, state))
        #expect(found?.verdict == .dangerous)
        let node = #"{"__class__":"a","__module__":"b","__loader__":"c","content":"#
        let schema = String(repeating: node, count: 5_000)
        let skops = ZIPBytes.of(("schema.json", Array(schema.utf8)))
        #expect(try await scan(skops, as: "m.skops")?.verdict == .dangerous)
    }

    @Test("data is skipped, not read")
    func skipping() async throws {
        // 1 TiB of bytes inside a pickle.
        let head = [0x80, 4, 0x8e, 0, 0, 0, 0, 0, 1, 0, 0] as [UInt8]
        let size = UInt64(head.count) + (1 << 40) + 1
        let source = MemoryModelSource(["m.pkl": head], sizes: ["m.pkl": size])
        let file = ModelFile(ModelSourceFile(path: "m.pkl", size: size), in: source)
        let scan = try await CodeScan().scan(file)
        // What follows reads as zeros, which are no operation: the point is that it was reached.
        #expect(scan?.problems.first?.message == "has the unknown operation 0")
        #expect(source.reads.bytes < 4 << 20)
    }

    @Test("text that reads like operations is no pickle")
    func text() async throws {
        for text in [
            "cloudpickle==3.1\nnumpy==2.0\nscikit-learn==1.9\n", "(a)\n", "import numpy\n",
            "{\"a\": 1}",
            "]]]]]]", "}", "N", "country,city\nFrance,Paris\n", "MIT License\n", "I am a text.\n",
            "",
        ] {
            #expect(try await scan(Array(text.utf8), as: "notes.txt") == nil, "\(text)")
        }
        let hidden = P.ops("cos\nsystem\n(S'id'\ntR.")
        #expect(try await scan(hidden, as: "notes.txt")?.verdict == .dangerous)
    }
}
