import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import LinajeWire
import Testing

@Suite("PluginProcess")
struct PluginProcessTests {
    private let model = MemoryModelSource([
        "model.safetensors": SafetensorsBytes.good, "MLmodel": Array(PyFuncFlavorTests.right.utf8),
    ])

    // MARK: A good process

    @Test("the built flavor host describes models, one process for many")
    func good() async throws {
        let process = PluginScript.process()
        #expect(
            try await process.start() == [
                "python_function", "onnx", "xgboost", "lightgbm", "catboost", "keras", "tensorflow",
                "gguf", "safetensors", "transformers", "sklearn", "pytorch", "scan",
            ])
        #expect(process.descriptor.name == "linaje-flavor-host")
        #expect(process.descriptor.version == "0.1.0")
        for _ in 0..<20 {
            let description = try await process.describe(model, deadline: .seconds(600))
            #expect(
                description.flavors.map(\.name) == [
                    "python_function", "sklearn", "my_own", "safetensors",
                ])
            #expect(description.parameters == 11)
        }
        await process.shutdown()
    }

    @Test("files that no flavor recognises are not recognised")
    func unknown() async throws {
        let process = PluginScript.process()
        let nothing = MemoryModelSource(["readme.txt": [1]])
        #expect(try await process.recognizes(nothing) == false)
        #expect(try await process.describe(nothing) == ModelDescription())
        #expect(try await process.recognizes(model))
        await process.shutdown()
    }

    @Test("a malformed model is a warning, and the process goes on")
    func malformed() async throws {
        let process = PluginScript.process()
        let bad = MemoryModelSource(["m.safetensors": SafetensorsBytes.length(.max)])
        let description = try await process.describe(bad)
        #expect(description.findings.map(\.severity) == [.warning])
        #expect(description.findings.first?.message.contains("m.safetensors") == true)
        #expect(try await process.recognizes(model))
        await process.shutdown()
    }

    @Test("a store that fails while it is read is a warning, and the process goes on")
    func failingSource() async throws {
        struct Failing: ModelSource {
            func files() async throws -> [ModelSourceFile] {
                [.init(path: "a.safetensors", size: 9)]
            }
            func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
                throw LinajeError(.corrupt, "chunk 12 does not match its digest")
            }
        }
        let process = PluginScript.process()
        let description = try await process.describe(Failing())
        #expect(
            description.findings.map(\.message) == [
                "safetensors: chunk 12 does not match its digest",
                "sklearn: chunk 12 does not match its digest",
                "pytorch: chunk 12 does not match its digest",
                "it was not looked at: chunk 12 does not match its digest",
            ])
        #expect(description.verdict == .unknown)
        #expect(try await process.recognizes(model))
        await process.shutdown()
    }

    @Test("calls at the same time are served one after the other")
    func concurrent() async throws {
        let process = PluginScript.process()
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            for count in 1...12 {
                let header = "{\(SafetensorsBytes.entry("t", "U8", "\(count)", "0,\(count)"))}"
                let file = SafetensorsBytes.file(header, data: count)
                group.addTask {
                    try await process.describe(MemoryModelSource(["m.safetensors": file]))
                        .parameters
                }
            }
            var found: Set<UInt64> = []
            for try await parameters in group { found.insert(parameters) }
            #expect(found == Set(1...12))
        }
        await process.shutdown()
    }

    @Test("a model of a large header is read in parts")
    func large() async throws {
        let note = String(repeating: "x", count: 3 << 20)
        let entry = SafetensorsBytes.entry("t", "U8", "2", "0,2")
        let header = "{\"__metadata__\":{\"note\":\"\(note)\"},\(entry)}"
        let source = MemoryModelSource(["m.safetensors": SafetensorsBytes.file(header, data: 2)])
        let process = PluginScript.process()
        #expect(try await process.describe(source).parameters == 2)
        #expect(source.reads.longest == 1 << 20)
        await process.shutdown()
    }

    @Test("a cancelled call ends at once, and the next one works")
    func cancelled() async throws {
        let process = PluginScript.process()
        let slow = StuckSource()
        let call = Task { try await process.describe(slow, deadline: .seconds(300)) }
        await slow.waitUntilAsked()
        let waiting = Task { try await process.describe(model, deadline: .seconds(300)) }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        #expect(try await waiting.value.parameters == 11)
        await process.shutdown()
    }

    @Test("a call that waits for its turn keeps to its deadline")
    func waitingDeadline() async throws {
        let process = PluginScript.process()
        let slow = StuckSource()
        let call = Task { try await process.describe(slow, deadline: .seconds(300)) }
        await slow.waitUntilAsked()
        let error = await #expect(throws: LinajeError.self) {
            try await process.describe(model, deadline: .milliseconds(50))
        }
        #expect(error?.code == .pluginFailed)
        #expect(error?.message.contains("busy") == true)
        call.cancel()
        _ = await call.result
        await process.shutdown()
    }

    @Test("after shutdown every call throws, the one under way too")
    func shutdown() async throws {
        let process = PluginScript.process()
        let slow = StuckSource()
        let call = Task { try await process.describe(slow, deadline: .seconds(300)) }
        await slow.waitUntilAsked()
        await process.shutdown()
        let error = await #expect(throws: LinajeError.self) { try await call.value }
        #expect(error?.code == .unavailable)
        await #expect(throws: LinajeError.self) { try await process.describe(model) }
        await process.shutdown()
    }

    // MARK: Bad processes

    @Test("a process gets no environment but PATH and LANG, and three descriptors")
    func bare() async throws {
        let folder = try TemporaryDirectory()
        let script = """
            names = sorted(name for name in os.environ if name != "LC_CTYPE")
            fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1]
            sys.stderr.write(f"{names} {fds}\\n")
            sys.exit(1)
            """
        let process = PluginScript.hostileOnce(script, in: folder)
        // Something that is not close-on-exec.
        let open = fcntl(0, F_DUPFD, 100)
        defer { close(open) }
        let error = await #expect(throws: LinajeError.self) { try await process.start() }
        #expect(
            error?.message.hasSuffix("it said: ['LANG', 'PATH'] [0, 1, 2]") == true,
            "\(error?.message ?? "")")
        await process.shutdown()
    }

    @Test("an error of the request passes, and the process lives on")
    func refusal() async throws {
        let folder = try TemporaryDirectory()
        var failure = Linaje_V1_Failure()
        failure.code = LinajeError.Code.limitExceeded.rawValue
        failure.message = "too big\nfor me"
        var other = failure
        other.code = LinajeError.Code.storageFailed.rawValue
        let greeting = PluginScript.hex(try PluginScript.greeting())
        let first = PluginScript.hex(
            Frame(.error, stream: 3, payload: try failure.payload()).bytes)
        let second = PluginScript.hex(
            Frame(.error, stream: 5, payload: try other.payload()).bytes)
        let process = PluginScript.hostileOnce(
            "say('\(greeting)'); say('\(first)'); say('\(second)'); time.sleep(1000)", in: folder)
        let error = await #expect(throws: LinajeError.self) { try await process.describe(model) }
        #expect(error?.code == .limitExceeded)
        #expect(error?.message == "flavor plugin \"hostile\": too big for me")
        let again = await #expect(throws: LinajeError.self) { try await process.describe(model) }
        #expect(again?.code == .pluginFailed)
        await process.shutdown()
    }

    @Test("a program that is not there is an error that names it")
    func missing() async throws {
        let process = PluginProcess(executable: "/nonexistent/flavor")
        let error = await #expect(throws: LinajeError.self) { try await process.describe(model) }
        #expect(error?.code == .pluginFailed)
        #expect(error?.message.contains("\"flavor\" cannot be started") == true)
        await process.shutdown()
    }

    @Test("a process that keeps failing rests longer each time")
    func backOff() async throws {
        let configuration = PluginProcessConfiguration(
            deadline: .seconds(600), handshake: .seconds(600), firstBackOff: .seconds(3_600),
            longestBackOff: .seconds(7_200))
        let process = PluginProcess(
            executable: "/bin/false", name: "broken", configuration: configuration)
        for _ in 0..<2 {
            let error = await #expect(throws: LinajeError.self) {
                try await process.describe(model)
            }
            #expect(error?.message.contains("exited with status 1") == true)
        }
        let error = await #expect(throws: LinajeError.self) { try await process.describe(model) }
        #expect(error?.code == .pluginFailed)
        #expect(error?.message.contains("failed 2 times in a row") == true)
        await process.shutdown()
    }

    @Test("a process that hangs between two calls is replaced after a ping, unnoticed")
    func hangsBetween() async throws {
        let folder = try TemporaryDirectory()
        let greeting = PluginScript.hex(try PluginScript.greeting())
        let answer = try Self.answer(parameters: 5, stream: 3)
        let process = PluginScript.hostileOnce(
            "say('\(greeting)'); say('\(answer)'); time.sleep(100000)", in: folder,
            configuration: .init(
                deadline: .seconds(600), handshake: .seconds(600), rest: .zero,
                pong: .milliseconds(200)))
        #expect(try await process.describe(model).parameters == 5)
        let began = ContinuousClock.now
        #expect(try await process.describe(model).parameters == 11)
        #expect(ContinuousClock.now - began < .seconds(300))
        await process.shutdown()
    }

    @Test("a process that answers pings is kept")
    func answersPings() async throws {
        let folder = try TemporaryDirectory()
        let answers = try [
            Self.answer(parameters: 5, stream: 3), Self.answer(parameters: 6, stream: 5),
        ]
        let greeting = PluginScript.hex(try PluginScript.greeting())
        let process = PluginScript.hostileOnce(
            """
            say('\(greeting)'); say('\(answers[0])')
            def take(count):
                data = b''
                while len(data) < count: data += os.read(0, count - len(data))
                return data
            take(8)
            while True:
                head = take(12)
                size, stream, kind, flags, opcode = struct.unpack('>IIBBH', head)
                body = take(size)
                if kind == 8:
                    say((struct.pack('>IIBBH', size, 0, 9, 0, 0) + body).hex())
                    say('\(answers[1])')
            """, in: folder,
            configuration: .init(
                deadline: .seconds(600), handshake: .seconds(600), rest: .zero,
                pong: .seconds(600)))
        #expect(try await process.describe(model).parameters == 5)
        #expect(try await process.describe(model).parameters == 6)
        await process.shutdown()
    }

    @Test("a process that ended between two calls is started again unnoticed")
    func endedBetween() async throws {
        let folder = try TemporaryDirectory()
        let greeting = PluginScript.hex(try PluginScript.greeting())
        let answer = try Self.answer(parameters: 5, stream: 3)
        let pidFile = "\(folder.path)/pid"
        let process = PluginScript.hostileOnce(
            """
            say('\(greeting)'); say('\(answer)')
            seen = b''
            while b'\\x0b\\x02' not in seen: seen += os.read(0, 4096)
            with open('\(pidFile)', 'w') as file: file.write(str(os.getpid()))
            os._exit(0)
            """, in: folder)
        #expect(try await process.describe(model).parameters == 5)
        let deadline = ContinuousClock.now + .seconds(300)
        while !Self.hasEnded(pidFile: pidFile), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(Self.hasEnded(pidFile: pidFile))
        #expect(try await process.describe(model).parameters == 11)
        await process.shutdown()
    }
}

extension PluginProcessTests {
    /// What a model with so many parameters is described by, as `say` takes it.
    private static func answer(parameters: UInt64, stream: UInt32) throws -> String {
        var response = Linaje_V1_DescribeModelResponse()
        response.model.parameters = parameters
        return PluginScript.hex(
            PluginScript.response(
                try response.payload(), stream: stream, Methods.describeModel.opcode))
    }

    /// Whether the process whose number is in a file is a zombie or gone.
    private static func hasEnded(pidFile: String) -> Bool {
        guard let pid = try? String(contentsOfFile: pidFile, encoding: .utf8), !pid.isEmpty else {
            return false
        }
        let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        return status?.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }
}

/// A model whose bytes never come.
actor StuckSource: ModelSource {
    private var isAsked = false
    private var waiter: CheckedContinuation<Void, Never>?

    func files() async throws -> [ModelSourceFile] {
        isAsked = true
        waiter?.resume()
        waiter = nil
        try await Task.sleep(for: .seconds(3_600))
        return []
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] { [] }

    /// Returns when somebody waits for the bytes.
    func waitUntilAsked() async {
        guard !isAsked else { return }
        await withCheckedContinuation { waiter = $0 }
    }
}
