import LinajeConformance
import LinajeDomain
import LinajePluginKit
import PyFuncFlavor
import Testing

@Suite("PyFuncFlavor")
struct PyFuncFlavorTests {
    private let flavor = PyFuncFlavor()

    static let right = """
        artifact_path: model
        flavors:
          python_function:
            env: {conda: conda.yaml, virtualenv: python_env.yaml}
            loader_module: mlflow.sklearn
            model_path: model.pkl
            python_version: 3.10.4
          sklearn: {code: null, pickled_model: model.pkl, sklearn_version: 1.10}
          my_own:
            deep: {list: [1, two, null, {three: "3"}], text: "a: b"}
            my_library_version: '2.0'
        mlflow_version: 3.1.0
        model_id: m-0123456789abcdef0123456789abcdef
        run_id: 0123456789abcdef0123456789abcdef
        metadata: {team: {name: x}}
        signature:
          inputs: '[{"type": "long", "name": "a b", "required": true}]'
          outputs: null
          params: '[{"name":"t","type":"double","default":0.5,"shape":null}]'
        utc_time_created: '2026-01-02 03:04:05.678901'
        """

    static let files: [String: [UInt8]] = [
        "MLmodel": Array(right.utf8), "conda.yaml": [1], "python_env.yaml": [1, 2],
        "model.pkl": [1, 2, 3],
        "requirements.txt": Array("# made by hand\nnumpy==1.0\n\n  scipy>=2  \r\n".utf8),
    ]

    private func describe(_ text: String) async throws -> ModelDescription {
        try await flavor.describe(MemoryModelSource(["MLmodel": Array(text.utf8)]))
    }

    @Test("every flavor is kept, with its version and facts")
    func flavors() async throws {
        let model = try await flavor.describe(MemoryModelSource(Self.files))
        #expect(model.flavors.map(\.name) == ["python_function", "sklearn", "my_own"])
        #expect(model.flavors.map(\.version) == ["3.1.0", "1.10", "2.0"])
        #expect(model.findings == [])
        let facts = model.flavors.map(\.facts)
        #expect(facts[0]["loader_module"] == "mlflow.sklearn")
        #expect(facts[0]["env.conda"] == "conda.yaml")
        #expect(facts[0]["python_version"] == "3.10.4")
        #expect(facts[0]["model_id"] == "m-0123456789abcdef0123456789abcdef")
        #expect(facts[0]["run_id"] == "0123456789abcdef0123456789abcdef")
        #expect(facts[0]["utc_time_created"] == "2026-01-02 03:04:05.678901")
        #expect(facts[0]["metadata.team.name"] == "x")
        #expect(facts[0]["files"] == "5")
        #expect(facts[1]["code"] == "null")
        #expect(facts[2]["deep.list"] == #"["1","two",null,{"three":"3"}]"#)
        #expect(facts[2]["deep.text"] == "a: b")
    }

    @Test("the signature is one JSON object and the requirements are lines")
    func signature() async throws {
        let model = try await flavor.describe(MemoryModelSource(Self.files))
        #expect(
            model.signature
                == #"{"inputs":[{"type": "long", "name": "a b", "required": true}],"#
                + #""outputs":null,"#
                + #""params":[{"name":"t","type":"double","default":0.5,"shape":null}]}"#)
        #expect(model.requirements == ["numpy==1.0", "scipy>=2"])
    }

    @Test("files have the roles that MLflow and the flavors give them")
    func roles() async throws {
        var files = Self.files
        files["code/own/__init__.py"] = [1]
        files["input_example.json"] = [1]
        files["notes.txt"] = [1]
        let text = Self.right.replacing("code: null", with: "code: code")
        files["MLmodel"] = Array(text.utf8)
        let model = try await flavor.describe(MemoryModelSource(files))
        let roles = Dictionary(grouping: model.files, by: \.role).mapValues { $0.map(\.path) }
        #expect(
            roles == [
                .config: ["MLmodel"], .code: ["code/own/__init__.py"],
                .environment: ["conda.yaml", "python_env.yaml", "requirements.txt"],
                .example: ["input_example.json"], .weights: ["model.pkl"],
            ])
    }

    @Test("without requirements.txt what pip installs into the conda environment is required")
    func conda() async throws {
        var files = Self.files
        files["requirements.txt"] = nil
        files["conda.yaml"] = Array(
            "channels: [x]\ndependencies:\n- python=3.8\n- pip\n- pip:\n  - mlflow\n  - scipy>=1 \n"
                .utf8)
        let model = try await flavor.describe(MemoryModelSource(files))
        #expect(model.requirements == ["mlflow", "scipy>=1"])
        #expect(model.findings == [])
    }

    @Test("a file that a flavor names and that is missing is a warning")
    func missing() async throws {
        var files = Self.files
        files["model.pkl"] = nil
        let model = try await flavor.describe(MemoryModelSource(files))
        #expect(
            model.findings.map(\.message) == [
                "flavor python_function, model_path: it names \"model.pkl\", which is not in the "
                    + "model",
                "flavor sklearn, pickled_model: it names \"model.pkl\", which is not in the model",
            ])
        #expect(model.findings.allSatisfy { $0.severity == .warning && $0.path == "MLmodel" })
    }

    private func describe(conf text: String) async throws -> ModelDescription {
        try await flavor.describe(
            MemoryModelSource([
                "MLmodel": Array("flavors: {a: {\(text)}}".utf8), "data/x/weights.bin": [1],
            ]))
    }

    @Test("a folder counts as there, and what is no path does not")
    func paths() async throws {
        let model = try await describe(
            conf: "data: data, model_data: data/, code: a//b, model_code_path: /home/x/model.py")
        #expect(model.findings.count == 2)
        #expect(model.findings.allSatisfy { $0.message.contains("no path inside the model") })
        #expect(model.findings.allSatisfy { $0.severity == .warning })
        #expect(model.verdict == nil)
    }

    @Test(
        "a path that leads outside is dangerous: what is loaded there, no scan has seen",
        arguments: [
            "data: ../x", "model_path: /etc/x", "model_data: data/../../x", "python_model: ..",
            "artifacts: {a: {path: ../../a.pkl}}",
        ])
    func outside(conf: String) async throws {
        let model = try await describe(conf: conf)
        #expect(model.findings.map(\.severity) == [.danger])
        #expect(model.findings.first?.message.contains("leads outside the model") == true)
        #expect(model.verdict == .dangerous)
    }

    @Test("a file without flavors is described with a warning")
    func none() async throws {
        let model = try await describe("mlflow_version: 1.2\nflavors: {}\n")
        #expect(model.flavors.map(\.name) == ["mlflow"])
        #expect(model.flavors.map(\.version) == ["1.2"])
        #expect(model.findings.map(\.message) == ["it names no flavor"])
    }

    static let alias =
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + (0..<9).map { level in
            let before = level == 0 ? "a" : "a\(level - 1)"
            return "a\(level): &a\(level) ["
                + [String](repeating: "*\(before)", count: 9)
                .joined(separator: ",") + "]"
        }.joined(separator: "\n")

    @Test(
        "a malformed file is refused by name",
        arguments: [
            "", "just text", "- a\n- b", "flavors: [a]", "flavors: 3", "a: b: c", "{", "a: \"",
            "flavors: {a: 1}\nsignature: x", "flavors: {a: {}}\nsignature: {inputs: '[1,'}",
            "flavors: {a: {}}\nsignature: {inputs: '[]x'}",
            "flavors: {a: {}}\nsignature: {inputs: [1]}", "a: 1\na: 2", "a: *b", alias,
            "a: &b {c: 1}\nd: *b", "? &x [y]\n: *x", "--- a\n--- b",
            String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 50_000),
            String(repeating: "- ", count: 50_000), String(repeating: "? ", count: 50_000),
            (0..<1_200).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        ])
    func malformed(text: String) async throws {
        let error = await #expect(throws: LinajeError.self) { try await describe(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("MLmodel") == true, "\(error?.message ?? "")")
        #expect((error?.message.utf8.count ?? 0) < 1_000)
    }

    @Test("a file that is too long or not UTF-8 is refused")
    func bounds() async throws {
        let long = MemoryModelSource(["MLmodel": []], sizes: ["MLmodel": (4 << 20) + 1])
        let error = await #expect(throws: LinajeError.self) { try await flavor.describe(long) }
        #expect(error?.code == .limitExceeded)
        #expect(long.reads.bytes == 0)
        await #expect(throws: LinajeError.self) {
            try await flavor.describe(MemoryModelSource(["MLmodel": [0x61, 0x3a, 0x20, 0xff]]))
        }
    }

    @Test("facts past their bounds are left out and counted")
    func omitted() async throws {
        let many = (0..<2_100).map { "    k\($0): v" }.joined(separator: "\n")
        let model = try await describe("flavors:\n  a:\n\(many)\n")
        #expect(model.flavors[0].facts.count == 452, "with two of its files")
        #expect(
            model.findings.contains {
                $0.severity == .info
                    && $0.message.hasPrefix("the description leaves out 1650 facts")
            })
    }

    @Test("no bound leaves out what loads a model, nor what of its own runs then")
    func deciding() async throws {
        func members(_ count: Int) -> String {
            (0..<count).map { "    a\($0): v" }.joined(separator: "\n")
        }
        let long = String(repeating: "x", count: 9_000)
        let whole = try await CompositeFlavor([flavor]).describe(
            MemoryModelSource([
                "MLmodel": Array(
                    ("flavors:\n" + "  a:\n\(members(2_100))\n"
                        + "  python_function:\n\(members(1_100))\n    loader_module: evil\n"
                        + "    code: \(long)\n  z:\n    code: {a: [b]}\n").utf8)
            ]))
        let facts = whole.flavors.map(\.facts)
        #expect(whole.flavors.map(\.name) == ["a", "python_function", "z"])
        #expect(facts[1]["loader_module"] == "evil")
        #expect(facts[1]["code"]?.hasPrefix("xxx") == true)
        #expect(facts[2]["code"] == #"{"a":["b"]}"#)
    }

    @Test("a text that reads null is told from nothing")
    func nulls() async throws {
        for (text, fact) in [
            ("null", "null"), ("~", "null"), ("", "null"), ("'null'", "\"null\""),
            ("!!str null", "\"null\""), ("'~'", "~"), ("nothing", "nothing"),
        ] {
            let model = try await describe("flavors:\n  a:\n    code: \(text)\n")
            #expect(model.flavors[0].facts["code"] == fact, "\(text)")
        }
    }

    @Test(
        "what libraries read differently is refused by name",
        arguments: [
            ("flavors: {python_function: {<<: {loader_module: evil, code: code}}}", "merges"),
            ("flavors: {a: {\"<<\": {b: c}}}", "merges"), ("<<: {flavors: {a: {}}}", "merges"),
            ("flavors: {a: {!!merge x: {b: c}}}", "merges"),
            ("flavors: {a: {b: 1, !!binary b: 2}}", "twice"),
            ("flavors: {a: {? [b] : c}}", "a map or a list"),
            ("flavors: {a: {code: !!str {=: c}}}", "tag"),
            ("flavors: {a: !!set {b}}", "tag"), ("flavors: {a: {b: !!omap [c: d]}}", "tag"),
            ("metadata: [{<<: {a: b}}]\nflavors: {a: {}}", "merges"),
        ])
    func ambiguous(text: String, said: String) async throws {
        let error = await #expect(throws: LinajeError.self) { try await describe(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("MLmodel") == true)
        #expect(error?.message.contains(said) == true, "\(error?.message ?? "")")
    }

    @Test("stars and ampersands in texts are no aliases")
    func innocent() async throws {
        let model = try await describe(
            "flavors: {a: {text: 'R&D *args **kwargs & more', b: \"*x\"}}")
        #expect(model.flavors[0].facts["text"] == "R&D *args **kwargs & more")
    }

    @Test("requirements that are not UTF-8 are a warning")
    func requirements() async throws {
        let model = try await flavor.describe(
            MemoryModelSource([
                "MLmodel": Array("flavors: {a: {}}".utf8), "requirements.txt": [0xff, 0xfe],
            ]))
        #expect(model.requirements == [])
        #expect(model.findings.map(\.path) == ["requirements.txt"])
    }

    @Test("only an MLmodel file at the root is recognised")
    func recognition() async throws {
        #expect(try await flavor.recognizes(MemoryModelSource(["MLmodel": []])))
        #expect(try await flavor.recognizes(MemoryModelSource(["sub/MLmodel": []])) == false)
        #expect(try await flavor.recognizes(MemoryModelSource(["mlmodel": []])) == false)
    }
}
