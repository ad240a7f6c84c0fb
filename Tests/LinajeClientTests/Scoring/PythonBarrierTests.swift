import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeCommands

@Suite("What keeps a model's code from running")
struct PythonBarrierTests {
    private static func model(_ flavors: [String: [String: String]]) -> ModelDescription {
        ModelDescription(
            flavors: flavors.sorted { $0.key < $1.key }.map { .init(name: $0.key, facts: $0.value) }
        )
    }

    @Test("a known loader without code is loaded, and so is what names no loader but a library")
    func harmless() {
        let facts = ["loader_module": "mlflow.sklearn", "code": "null", "data": "model.pkl"]
        #expect(
            CodeRisk.reason(Self.model(["python_function": facts, "sklearn": ["code": "null"]]))
                == nil)
        #expect(CodeRisk.reason(Self.model(["sklearn": ["pickled_model": "model.pkl"]])) == nil)
    }

    @Test(
        "a loader that is not named or not known, and code of any flavor, are risks",
        arguments: [
            (["python_function": ["data": "x"]], "does not say what loads it"),
            (["python_function": ["loader_module": "evil"]], "loaded by evil"),
            (["python_function": ["loader_module": "mlflow.sklearn", "code": "code"]], "code"),
            (["python_function": ["loader_module": "mlflow.sklearn", "code": "\"null\""]], "null"),
            (["sklearn": ["code": "code"]], "a program of its own, code"),
        ])
    func risks(flavors: [String: [String: String]], said: String) {
        let reason = CodeRisk.reason(Self.model(flavors))
        #expect(reason?.contains(said) == true, "\(reason ?? "nothing")")
    }

    @Test("facts that no longer fit into a description are a risk, tensors are none")
    func omission() {
        var whole = Self.model(["python_function": ["loader_module": "mlflow.sklearn"]])
        let tensor = TensorDescription(name: "t", dtype: "F32", shape: [1])
        whole.tensors = [TensorDescription](
            repeating: tensor, count: ModelDescription.Bounds.tensors + 1)
        #expect(CodeRisk.reason(whole.bounded()) == nil)
        for number in 0..<ModelDescription.Bounds.facts {
            whole.flavors[0].facts["a\(number)"] = "x"
        }
        let reason = CodeRisk.reason(whole.bounded())
        #expect(reason != nil)
        whole.flavors = (0...ModelDescription.Bounds.flavors).map { .init(name: "f\($0)") }
        #expect(CodeRisk.reason(whole.bounded())?.contains("1 flavors") == true)
    }

    @Test("an MLmodel that could not be read is told from one that says nothing")
    func unread() {
        var model = Self.model(["sklearn": [:]])
        #expect(PythonEngine.unread(model) == nil)
        model.findings = [
            Finding(severity: .warning, message: "python_function: MLmodel merges maps")
        ]
        #expect(PythonEngine.unread(model) == "python_function: MLmodel merges maps")
    }

    @Test(
        "names with extras, versions and conditions are plain requirements",
        arguments: [
            ("numpy", "numpy"), ("numpy==1.26.4  # why", "numpy==1.26.4"),
            ("scikit-learn >=1.3, <2 ,!=1.4.*\t", "scikit-learn >=1.3, <2 ,!=1.4.*"),
            ("uvicorn[standard, http2]~=0.3", "uvicorn[standard, http2]~=0.3"),
            ("torch==2.1.0+cpu", "torch==2.1.0+cpu"), ("a===1!2.0-1", "a===1!2.0-1"),
            (
                "numpy<2; python_version < \"3.12\" and (sys_platform != 'win-32')",
                "numpy<2; python_version < \"3.12\" and (sys_platform != 'win-32')"
            ),
            ("zope.interface ; extra == 'a'", "zope.interface ; extra == 'a'"),
        ])
    func plain(line: String, text: String) {
        #expect(PlainRequirement(line)?.text == text)
    }

    @Test(
        "addresses, paths, options, archives and hidden lines are not plain",
        arguments: [
            "-e .", "-r more.txt", "./numpy", "numpy/x", "a @ https://x/a.whl", "git+https://x",
            "c:numpy", "numpy -e .", "numpy==1.0 --hash=sha256:aa", "numpy\u{1c}-e .",
            "numpy\u{1d}-e .", "numpy\u{1e}-e .", "numpy\u{b}-e .", "numpy\u{0}",
            "numpy==1\u{1c}-e .",
            "numpy; extra == 'a\u{1c}-e .'", "numpy; extra == 'a -e .'", "numpy; extra == 'a",
            "evil-1.0.tar.gz", "evil-1.0.TAR.GZ", "evil.zip", "evil.whl[x]",
            "evil-1.whl ; extra == 'a'",
            "evil===1.zip", "evil[a]===1.tar.xz", "evil.tgz", "numpy \\", "num\u{fc}py",
            "numpy 1.0",
            "numpy==", "numpy==-1", "numpy=1", "numpy[", "numpy[]", "${HOME}", "%x", "_a", "a-", "",
            "\u{feff}numpy",
        ])
    func notPlain(line: String) {
        #expect(PlainRequirement(line) == nil)
    }

    @Test("a line that is not plain needs leave")
    func refusal() {
        let error = #expect(throws: LinajeError.self) {
            try PythonEnvironment.requirements(
                Array("numpy\nevil-1.0.tar.gz\n".utf8), of: nil, isAllowed: false)
        }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("evil-1.0.tar.gz") == true)
    }

    @Test("lines that are not plain are taken as they are where code is allowed")
    func allowed() throws {
        let bytes = Array("# first\u{1c}-e .\n  ./pandas-1.whl\r\nPandas>=2 # x\n".utf8)
        #expect(
            try PythonEnvironment.requirements(bytes, of: nil, isAllowed: true)
                == ["./pandas-1.whl", "Pandas>=2"])
    }

    @Test("the package in which rows reach a model is added where no line names it")
    func carriers() throws {
        func lines(_ text: String, _ schema: InputSchema?) throws -> [String] {
            try PythonEnvironment.requirements(Array(text.utf8), of: schema, isAllowed: false)
        }
        let columns = InputSchema.columns([.init(name: "a", type: .double, isRequired: true)])
        let tensors = InputSchema.tensors([.init(name: nil, dtype: "float32", shape: [-1, 2])])
        #expect(try lines("numpy==2.0\n", columns) == ["numpy==2.0", "pandas"])
        #expect(try lines("numpy==2.0\n", nil) == ["numpy==2.0", "pandas"])
        #expect(try lines("pandas==2.0\n", columns) == ["pandas==2.0"])
        #expect(try lines("pandas-stubs\n", columns) == ["pandas-stubs", "pandas"])
        #expect(try lines("torch\n", tensors) == ["torch", "numpy"])
    }

    @Test("a worker that does not read is ended")
    func deaf() throws {
        let pipe = try WorkerPipe(
            ["/bin/sh", "-c", "exec sleep 300"], environment: ["PATH=/usr/bin:/bin"], shows: false)
        defer { pipe.end() }
        let error = #expect(throws: LinajeError.self) {
            try pipe.exchange([UInt8](repeating: 0, count: 16 << 20), within: .milliseconds(20))
        }
        #expect(error?.code == .pluginFailed)
        #expect(error?.message.contains("did not take what it was sent") == true)
    }
}
