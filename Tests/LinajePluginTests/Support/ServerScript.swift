import Foundation
import Synchronization

/// A script of `Fixtures` that is a server: its first line says where, then it answers an order on
/// each line. It ends when its standard input does.
final class ServerScript: Sendable {
    private let name: String
    private let process: Process
    private let conversation: Mutex<(input: FileHandle, output: FileHandle)>

    private init(_ name: String, _ process: Process, _ input: Pipe, _ output: Pipe) {
        self.name = name
        self.process = process
        conversation = Mutex((input.fileHandleForWriting, output.fileHandleForReading))
    }

    /// Starts it and waits for its first line.
    static func start(
        _ name: String, python: String
    ) throws -> (server: ServerScript, hello: [String: Any]) {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let server = ServerScript(name, process, input, output)
        return (server, try server.answer(to: Data()))
    }

    func ask(_ order: [String: Any]) throws -> [String: Any] {
        try answer(to: JSONSerialization.data(withJSONObject: order) + Data("\n".utf8))
    }

    func text(_ values: [String: Any], _ key: String) throws -> String {
        guard let text = values[key] as? String else {
            throw TestPython.Failure(message: "\(name) gave no \(key): \(values)")
        }
        return text
    }

    private func answer(to order: Data) throws -> [String: Any] {
        let said = try conversation.withLock { conversation in
            if !order.isEmpty { try conversation.input.write(contentsOf: order) }
            var line = Data()
            while line.last != 0x0a {
                guard let more = try conversation.output.read(upToCount: 1), !more.isEmpty else {
                    throw TestPython.Failure(message: "\(name) has ended")
                }
                line += more
            }
            return line
        }
        let answer = try JSONSerialization.jsonObject(with: said) as? [String: Any] ?? [:]
        if let error = answer["error"] {
            throw TestPython.Failure(message: "\(name) says \(error)")
        }
        return answer
    }
}
