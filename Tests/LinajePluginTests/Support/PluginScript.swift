import Foundation
import LinajePluginKit
import LinajeWire

/// Programs that stand for flavor processes in tests.
struct PluginScript {
    /// The built flavor host, which lies beside the test program.
    static let host: String = {
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).standardizedFileURL
        var folder = program.deletingLastPathComponent()
        for _ in 0..<4 {
            let candidate = folder.appendingPathComponent("linaje-flavor-host").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        let current = FileManager.default.currentDirectoryPath
        return "\(current)/.build/debug/linaje-flavor-host"
    }()

    /// The built flavor host, not started. It has all the time it wants: tests that compute run beside it.
    static func process() -> PluginProcess {
        PluginProcess(
            executable: host,
            configuration: .init(deadline: .seconds(600), handshake: .seconds(600)))
    }

    /// A process that runs `misbehaviour` (Python) when it is started first, and is the real
    /// flavor host afterwards.
    ///
    /// It is not asked for pongs, which it has not. The script has `say(hex)`, which writes bytes to standard output.
    static func hostileOnce(
        _ misbehaviour: String, in folder: TemporaryDirectory, name: String = "hostile",
        configuration: PluginProcessConfiguration = .init(
            deadline: .seconds(600), handshake: .seconds(600), firstBackOff: .milliseconds(1),
            rest: .seconds(600))
    ) -> PluginProcess {
        let script = """
            import os, struct, sys, time
            def say(text):
                data = bytes.fromhex(text)
                while data:
                    data = data[os.write(1, data):]
            flag = os.path.join(sys.argv[2], "started")
            if os.path.exists(flag):
                os.execv(sys.argv[1], [sys.argv[1]])
            open(flag, "w").close()
            \(misbehaviour)
            """
        return PluginProcess(
            executable: TestPython.path, arguments: ["-c", script, host, folder.path], name: name,
            configuration: configuration)
    }

    /// Makes the next start of a `hostileOnce` the good one.
    static func haveStarted(in folder: TemporaryDirectory) {
        _ = FileManager.default.createFile(
            atPath: folder.path + "/started", contents: nil)
    }

    /// Bytes as Python's `say` takes them.
    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// The hello of a well-behaved process.
    static func hello(minorVersion: UInt32 = 0, credit: UInt32 = 32_768) throws -> [UInt8] {
        var hello = Linaje_V1_ServerHello()
        hello.minorVersion = minorVersion
        hello.agent = "hostile/1"
        hello.connectionCredit = credit
        return Frame(.hello, payload: try hello.payload()).bytes
    }

    /// The hello and the answer to DescribePlugin, which is the first request.
    static func greeting(kind: String = "model flavor") throws -> [UInt8] {
        var descriptor = Linaje_V1_PluginDescriptor()
        descriptor.name = "hostile"
        descriptor.kind = kind
        descriptor.version = "1"
        return try hello()
            + response(descriptor.payload(), stream: 1, Methods.describePlugin.opcode)
    }

    /// A response frame that ends its stream.
    static func response(_ payload: [UInt8], stream: UInt32, _ opcode: UInt16) -> [UInt8] {
        Frame(
            .response, stream: stream, flags: FrameHeader.endFlag, opcode: opcode,
            payload: payload
        ).bytes
    }
}
