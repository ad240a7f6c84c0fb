import Foundation
import Glibc
import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("ScoringServer")
struct ScoringServerTests {
    /// An engine whose answer is longer than what a socket holds.
    private struct LongEngine: ScoringEngine {
        let about = "long"
        let takesNumbers = false
        let takesWholeFiles = true

        func plan(columns: [String]?, count: Int) throws -> ColumnPlan? { nil }
        func score(_ batch: ScoringBatch, params: JSONNode?) async throws -> Predictions {
            .answered(.string(String(repeating: "x", count: 2 << 20)))
        }
        func shutdown() async {}
    }

    /// Runs a server while `body` runs with its address.
    private static func serve(
        _ configuration: ScoringServer.Configuration, _ body: (String) async throws -> Void
    ) async throws {
        let server = ScoringServer(engine: LongEngine(), configuration: configuration)
        let (ended, end) = AsyncStream<Void>.makeStream()
        let (addresses, started) = AsyncStream<String>.makeStream()
        let running = Task {
            defer { started.finish() }
            try await server.run(until: { for await _ in ended {} }) { started.yield($0) }
        }
        var iterator = addresses.makeAsyncIterator()
        do {
            if let address = await iterator.next() { try await body(address) }
        } catch {
            end.finish()
            _ = try? await running.value
            throw error
        }
        end.finish()
        try await running.value
    }

    /// A server on a Unix socket that has no patience.
    private static func hasty(_ folder: TemporaryFolder) -> ScoringServer.Configuration {
        var configuration = ScoringServer.Configuration(
            host: "localhost", port: 0, socket: folder.at("s"), bodyBytes: 1 << 20, names: [])
        configuration.pace.slack = .milliseconds(10)
        configuration.grace = .zero
        return configuration
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }

    /// Whether the other side hangs up, long before a connection that is silent would be ended.
    private static func hangsUp(_ descriptor: Int32) async throws -> Bool {
        for _ in 0..<4_000 {
            var waited = pollfd(fd: descriptor, events: 0, revents: 0)
            if poll(&waited, 1, 0) > 0, waited.revents & Int16(POLLHUP) != 0 { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test(
        "a request that does not come to its end, and an answer that is not read, end the connection",
        arguments: [
            "P", "POST /invocations HTTP/1.1\r\nHost: a\r\n",
            "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
            "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\n"
                + "Content-Length: 4\r\n\r\na\n1\n",
        ])
    func slow(_ request: String) async throws {
        let folder = try TemporaryFolder()
        try await Self.serve(Self.hasty(folder)) { _ in
            let descriptor = try Self.connect(folder.at("s"))
            defer { close(descriptor) }
            let bytes = Array(request.utf8)
            #expect(send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0)
            #expect(try await Self.hangsUp(descriptor))
        }
    }

    @Test("time is given for what is small, and for each byte")
    func pace() {
        let pace = ScoringPace()
        #expect(pace.time(for: 0) == .seconds(30))
        #expect(pace.time(for: 64 << 20) == .seconds(30 + 1_024))
    }

    @Test("a port that is in use is said, with what to do")
    func port() async throws {
        let free = ScoringServer.Configuration(
            host: "127.0.0.1", port: 0, socket: nil, bodyBytes: 1, names: [])
        try await Self.serve(free) { address in
            var taken = free
            taken.port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
            let error = await #expect(throws: LinajeError.self) {
                try await Self.serve(taken) { _ in }
            }
            #expect(error?.code == .unavailable)
            let message = error?.message ?? ""
            #expect(message.hasPrefix("port \(taken.port) of 127.0.0.1 is in use"), "\(message)")
            #expect(message.contains("--port 0"))
        }
    }
}
