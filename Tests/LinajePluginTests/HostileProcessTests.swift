import LinajeConformance
import LinajeDomain
import LinajePluginKit
import LinajeWire
import Testing

@Suite("PluginProcess against hostile programs")
struct HostileProcessTests {
    private let model = MemoryModelSource(["model.safetensors": SafetensorsBytes.good])

    /// A program that misbehaves, and a part of what the error says of it.
    struct Hostile: Sendable, CustomTestStringConvertible {
        var what: String
        var script: String
        var says: String
        /// Those that only the deadline ends get a short one; the others end by themselves, however
        /// busy the machine is.
        var deadline: Duration { says.contains("in time") ? .seconds(2) : .seconds(600) }
        var testDescription: String { what }
    }

    static let programs: [Hostile] = {
        let hello = (try? PluginScript.hex(PluginScript.hello())) ?? ""
        let greeting = (try? PluginScript.hex(PluginScript.greeting())) ?? ""
        func say(_ bytes: [UInt8]) -> String { "say('\(PluginScript.hex(bytes))')" }
        func frame(_ frame: Frame) -> String { say(frame.bytes) }
        let wait = "\ntime.sleep(1000)"
        let badVersion = (try? PluginScript.hello(minorVersion: 9)) ?? []
        let badCredit = (try? PluginScript.hello(credit: 1 << 20)) ?? []
        let badKind = (try? PluginScript.greeting(kind: "sql backend")) ?? []
        var refusal = Linaje_V1_Failure()
        refusal.code = 4
        refusal.message = "major version 1 is too old"
        let refused = (try? refusal.payload()) ?? []
        var finding = Linaje_V1_Finding()
        finding.severity = "apocalyptic"
        var description = Linaje_V1_DescribeModelResponse()
        description.model.findings = [finding]
        let badDescription = (try? description.payload()) ?? []
        let describeModel = Methods.describeModel.opcode

        return [
            Hostile(
                what: "exits at once",
                script: "print('no licence found', file=sys.stderr); sys.exit(3)",
                says: "exited with status 3 before it had answered; it said: no licence found"),
            Hostile(what: "crashes at once", script: "os.abort()", says: "ended by signal 6"),
            Hostile(
                what: "crashes while it describes",
                script: "say('\(greeting)'); os.read(0, 4096); os.kill(os.getpid(), 11)",
                says: "ended by signal 11"),
            Hostile(what: "hangs at once", script: wait, says: "did not answer in time"),
            Hostile(
                what: "hangs while it describes", script: "say('\(greeting)')" + wait,
                says: "did not answer in time"),
            Hostile(
                what: "floods garbage", script: "while True: say('ff' * 65536)",
                says: "broke the protocol: frame of 4294967295 bytes"),
            Hostile(
                what: "floods pings",
                script: "say('\(greeting)')\nwhile True: \(frame(Frame(.ping)))",
                says: "did not answer in time"),
            Hostile(
                what: "floods standard error",
                script: "say('\(greeting)')\nwhile True: os.write(2, b'x' * 65536)",
                says: "did not answer in time"),
            Hostile(
                what: "promises more than a frame may hold",
                script: say([0x00, 0x40, 0x00, 0x01] + [UInt8](repeating: 0, count: 8)) + wait,
                says: "frame of 4194305 bytes is too large"),
            Hostile(
                what: "promises more than it sends",
                script: say(
                    Array(Frame(.hello, payload: [UInt8](repeating: 0, count: 50)).bytes[..<40])),
                says: "input ended inside a frame"),
            Hostile(
                what: "promises more and waits",
                script: say(
                    Array(Frame(.hello, payload: [UInt8](repeating: 0, count: 50)).bytes[..<40]))
                    + wait, says: "did not answer in time"),
            Hostile(
                what: "speaks another minor version", script: say(badVersion) + wait,
                says: "speaks minor version 9"),
            Hostile(
                what: "refuses the major version", script: frame(Frame(.error, payload: refused)),
                says: "major version 1 is too old"),
            Hostile(
                what: "grants more than is allowed", script: say(badCredit) + wait,
                says: "grants 1048576"),
            Hostile(
                what: "is no flavor", script: say(badKind) + wait, says: "of kind \"sql backend\""),
            Hostile(
                what: "answers before hello",
                script: frame(Frame(.response, stream: 1, flags: 1, opcode: describeModel)) + wait,
                says: "not hello"),
            Hostile(
                what: "says hello in nonsense",
                script: frame(Frame(.hello, payload: [0xff, 0xff, 0xff])) + wait,
                says: "is no linaje.v1.ServerHello"),
            Hostile(
                what: "says hello twice", script: "say('\(hello)'); say('\(hello)')" + wait,
                says: "hello frame has no place"),
            Hostile(
                what: "answers a request nobody made",
                script: "say('\(greeting)')\n"
                    + frame(Frame(.response, stream: 77, flags: 1, opcode: describeModel)) + wait,
                says: "no place on stream 77"),
            Hostile(
                what: "answers with another method",
                script: "say('\(greeting)')\n"
                    + say(PluginScript.response([], stream: 3, Methods.listSource.opcode)) + wait,
                says: "does not answer DescribeModel"),
            Hostile(
                what: "answers with nonsense",
                script: "say('\(greeting)')\n"
                    + say(PluginScript.response([0xff, 0xff], stream: 3, describeModel)) + wait,
                says: "is no linaje.v1.DescribeModelResponse"),
            Hostile(
                what: "describes what cannot be",
                script: "say('\(greeting)')\n"
                    + say(PluginScript.response(badDescription, stream: 3, describeModel)) + wait,
                says: "apocalyptic"),
            Hostile(
                what: "asks on an odd stream",
                script: "say('\(greeting)')\n"
                    + frame(Frame(.request, stream: 5, flags: 1, opcode: Methods.listSource.opcode))
                    + wait, says: "streams are even"),
            Hostile(
                what: "sends data frames",
                script: "say('\(greeting)')\n" + frame(Frame(.data, stream: 3, payload: [1]))
                    + wait,
                says: "a data frame does not answer"),
            Hostile(
                what: "closes its output and lives on",
                script: "say('\(greeting)'); os.close(0); os.close(1)" + wait,
                says: "before it had answered"),
            Hostile(
                what: "leaves a child that holds its output",
                script: "say('\(greeting)')\nif os.fork() == 0: time.sleep(1000)\nsys.exit(0)",
                says: "in time"),
        ]
    }()

    @Test("a hostile process costs its call only, in bounded time", arguments: programs)
    func hostile(program: Hostile) async throws {
        let folder = try TemporaryDirectory()
        let process = PluginScript.hostileOnce(program.script, in: folder)
        let error = await #expect(throws: LinajeError.self) {
            try await process.describe(model, deadline: program.deadline)
        }
        #expect(error?.code == .pluginFailed, "\(error as Any)")
        #expect(error?.message.hasPrefix("flavor plugin \"hostile\" ") == true)
        #expect(error?.message.contains(program.says) == true, "\(error?.message ?? "")")
        #expect((error?.message.utf8.count ?? 0) < 2_000)

        // A busy machine may have ended the process before it had left its own mark.
        PluginScript.haveStarted(in: folder)
        let description = try await process.describe(model, deadline: .seconds(600))
        #expect(description.parameters == 11)
        await process.shutdown()
    }
}
