import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@testable import S3Storage

/// What comes of a server that fails, lies, dawdles or refuses.
@Suite("S3Storage and a server that does harm", .enabled(if: S3TestServer.isAvailable))
struct S3FaultTests {
    static let passing: [(String, S3TestServer.Fault)] = [
        ("500", .status(500, code: "InternalError")),
        ("503", .status(503, code: "SlowDown", headers: ["Retry-After": "0"])),
        ("502 without a word", .status(502, code: "")),
        ("429", .status(429, code: "")),
        ("a connection that ends", .named("drop")),
        ("an answer that is cut", .named("truncate")),
        ("a byte that is wrong", .named("flip")),
        ("another range", .named("shift")),
    ]

    @Test("a read outlives what passes", arguments: passing.indices)
    func reading(index: Int) async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        var generator = SeededGenerator(seed: UInt64(index))
        let content = generator.bytes(100_000)
        try await write(content, to: "packs/a", in: storage)
        try server.harm(bucket, "GET", "packs/a", Self.passing[index].1, times: 2)
        let isSame = try await storage.get("packs/a", range: 0..<100_000) == content
        #expect(isSame)
        #expect(try server.requests(bucket).count { $0.method == "GET" } == 3)
    }

    @Test("a list outlives what passes", arguments: [0, 1, 4, 5])
    func listing(index: Int) async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        try await write([1], to: "packs/a", in: storage)
        try server.harm(bucket, "GET", "list-type", Self.passing[index].1, times: 2)
        #expect(try await storage.list(prefix: "").map(\.key) == ["packs/a"])
    }

    @Test("a list of empty pages that never ends is given up")
    func endlessList() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        try server.harm(bucket, "GET", "list-type", .named("endless"), times: 1_000_000)
        let error = await #expect(throws: LinajeError.self) {
            _ = try await storage.list(prefix: "packs/")
        }
        let message = error?.message ?? ""
        #expect(message.contains("does not come to an end"), "\(message)")
    }

    @Test(
        "a write outlives what passes, an answer that was lost too",
        arguments: [
            ("PUT", "/small", "drop"), ("PUT", "/small", "lose"), ("POST", "uploads=", "drop"),
            ("PUT", "partNumber=1&", "lose"), ("PUT", "partNumber=2&", "drop"),
            ("POST", "uploadId", "drop"), ("POST", "uploadId", "lose"),
        ])
    func writing(method: String, part: String, fault: String) async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        try server.harm(bucket, method, part, .named(fault), times: 2)
        var generator = SeededGenerator(seed: 9)
        for (key, content) in [
            ("small", generator.bytes(10)), ("large", generator.bytes(6 << 20)),
        ] {
            try await write(content, to: key, in: storage)
            #expect(try server.sha256(bucket, key) == SignatureV4.sha256(content).hex, "\(key)")
        }
        #expect(try await storage.list(prefix: "").count == 2)
    }

    @Test("a success that is an error after all is repeated")
    func lateError() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        try server.harm(bucket, "POST", "uploadId", .status(200, code: "InternalError"))
        try await write([UInt8](repeating: 3, count: 6 << 20), to: "large", in: storage)
        #expect(try await storage.stat("large") == 6 << 20)
    }

    @Test("what does not pass is said after the last attempt, with bucket and object")
    func lasting() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket, prefix: "team/") { $0.attempts = 3 }
        try server.harm(bucket, "GET", "packs/a", .status(503, code: "SlowDown"), times: 100)
        let error = await #expect(throws: LinajeError.self) {
            try await storage.get("packs/a", range: 0..<10)
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(bucket) == true)
        #expect(error?.message.contains("team/packs/a") == true)
        #expect(error?.message.contains("3 times") == true)
        #expect(error?.details["s3_error"] == "SlowDown")
        #expect(try server.requests(bucket).count == 3)
    }

    @Test("a budget of all requests ends repetitions that help nobody")
    func budget() {
        let budget = RetryBudget()
        var taken = 0
        while budget.take(afterTimeout: false), taken < 1_000 { taken += 1 }
        #expect(taken == 100)
        budget.succeeded(afterRetry: true)
        #expect(budget.take(afterTimeout: false))
        #expect(!budget.take(afterTimeout: false))
    }

    @Test("a server that is silent or dawdles is given up in time")
    func slow() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let good = try server.storage(bucket)
        try await write([UInt8](repeating: 1, count: 1_000), to: "packs/a", in: good)
        let silent = try server.storage(bucket) {
            $0.idleTimeout = .seconds(1)
            $0.attempts = 10
        }
        try server.harm(bucket, "GET", "packs/a", .slow(seconds: 3))
        #expect(try await silent.get("packs/a", range: 0..<1).count == 1)
        #expect(try server.requests(bucket).count { $0.method == "GET" } >= 2)
        let short = try server.storage(bucket) {
            $0.requestTimeout = .milliseconds(400)
            $0.attempts = 1
        }
        try server.harm(bucket, "GET", "packs/a", .named("trickle"))
        let error = await #expect(throws: LinajeError.self) {
            try await short.get("packs/a", range: 0..<1_000)
        }
        #expect(error?.code == .unavailable)
    }

    @Test("a server that gives no ranges is not believed")
    func noRanges() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket) { $0.attempts = 2 }
        try await write([1, 2, 3], to: "packs/a", in: storage)
        try server.harm(bucket, "GET", "packs/a", .named("whole"), times: 100)
        #expect(try await storage.get("packs/a", range: 0..<100) == [1, 2, 3])
        let error = await #expect(throws: LinajeError.self) {
            try await storage.get("packs/a", range: 1..<2)
        }
        #expect(error?.message.contains("ranges") == true)
    }

    @Test("a server that does not know conditions is asked without them from then on")
    func conditions() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        try server.harm(bucket, "PUT", "packs", .status(501, code: "NotImplemented"))
        try await write([1], to: "packs/a", in: storage)
        try await write([2], to: "packs/b", in: storage)
        let puts = try server.requests(bucket).filter { $0.method == "PUT" }
        #expect(puts.map { $0.headers["if-none-match"] } == ["*", nil, nil])
    }

    @Test("two who write at once are told to try again, and do", arguments: ["PUT", "POST"])
    func conflict(method: String) async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        let part = method == "PUT" ? "packs/a" : "uploadId"
        let fault = S3TestServer.Fault.status(409, code: "ConditionalRequestConflict")
        try server.harm(bucket, method, part, fault)
        let content = [UInt8](repeating: 7, count: method == "PUT" ? 10 : 6 << 20)
        try await write(content, to: "packs/a", in: storage)
        #expect(try server.sha256(bucket, "packs/a") == SignatureV4.sha256(content).hex)
    }

    @Test("a clock that is wrong is corrected once by the server's, then named")
    func skew() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        let fault = S3TestServer.Fault.status(
            403, code: "RequestTimeTooSkewed", headers: ["Date": "Mon, 01 Jan 2035 00:00:00 GMT"])
        try server.harm(bucket, "PUT", "packs/a", fault)
        try await write([1], to: "packs/a", in: storage)
        let dates = try server.requests(bucket).compactMap { $0.headers["x-amz-date"] }
        #expect(dates.count == 2)
        #expect(dates.last?.hasPrefix("2035") == true || dates.last?.hasPrefix("2034") == true)
        try server.harm(bucket, "GET", "packs/a", fault, times: 100)
        let error = await #expect(throws: LinajeError.self) {
            try await storage.get("packs/a", range: 0..<1)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("clock") == true)
    }

    @Test("credentials that have ended are found anew once, then named")
    func expired() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket)
        let fault = S3TestServer.Fault.status(400, code: "ExpiredToken")
        try server.harm(bucket, "PUT", "packs/a", fault)
        try await write([1], to: "packs/a", in: storage)
        try server.harm(bucket, "GET", "packs/a", fault, times: 100)
        let error = await #expect(throws: LinajeError.self) {
            try await storage.get("packs/a", range: 0..<1)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("credentials of the environment") == true)
        #expect(try server.requests(bucket).count { $0.method == "GET" } == 2)
    }

    @Test("a bucket that is missing is named by every call, never taken for a missing object")
    func missingBucket() async throws {
        let server = try S3TestServer.shared
        let storage = try server.storage("no-such-bucket")
        let calls: [(String, @Sendable () async throws -> Void)] = [
            ("get", { _ = try await storage.get("packs/a", range: 0..<1) }),
            ("get nothing", { _ = try await storage.get("packs/a", range: 0..<0) }),
            ("stat", { _ = try await storage.stat("packs/a") }),
            ("list", { _ = try await storage.list(prefix: "") }),
            ("remove", { try await storage.remove("packs/a") }),
            ("put", { try await write([1], to: "packs/a", in: storage) }),
            (
                "put in parts",
                {
                    try await write([UInt8](repeating: 0, count: 6 << 20), to: "a", in: storage)
                }
            ),
        ]
        for (name, call) in calls {
            let error = await #expect(throws: LinajeError.self, "\(name)") { try await call() }
            #expect(error?.code == .failedPrecondition, "\(name)")
            #expect(error?.message.contains("no-such-bucket") == true, "\(name)")
        }
    }

    @Test("who may only read reads, and is told what to allow for the rest")
    func readOnly() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        try await write([1, 2], to: "packs/a", in: try server.storage(bucket))
        let reader = try server.storage(bucket, environment: server.readerEnvironment)
        #expect(try await reader.get("packs/a", range: 0..<2) == [1, 2])
        #expect(try await reader.list(prefix: "").map(\.key) == ["packs/a"])
        let calls: [(String, @Sendable () async throws -> Void)] = [
            ("packs/a", { try await write([3], to: "packs/a", in: reader) }),
            (
                "packs/b",
                {
                    let content = [UInt8](repeating: 0, count: 6 << 20)
                    try await write(content, to: "packs/b", in: reader)
                }
            ),
            ("packs/a", { try await reader.remove("packs/a") }),
        ]
        for (key, call) in calls {
            let error = await #expect(throws: LinajeError.self, "\(key)") { try await call() }
            #expect(error?.code == .readOnly)
            #expect(error?.message.contains("object \(key) of bucket \(bucket)") == true)
            #expect(error?.message.contains("s3:PutObject") == true)
        }
        #expect(try await reader.get("packs/a", range: 0..<9) == [1, 2])
    }

    @Test("a wrong secret is named and not shown")
    func denied() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        var environment = server.environment
        environment["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
        let stranger = try server.storage(bucket, environment: environment)
        let refusal = await #expect(throws: LinajeError.self) {
            try await stranger.get("packs/a", range: 0..<1)
        }
        #expect(refusal?.code == .failedPrecondition)
        #expect(refusal?.details["s3_error"] == "SignatureDoesNotMatch")
        #expect(refusal?.message.contains("wrong-secret") == false)
    }

    @Test("what a server says is cut short, and begins no line of a log")
    func words() throws {
        let text = String(repeating: "x", count: 1_000)
        let failure = S3Failure(
            HTTPTransport.Answer(
                status: 400, headers: ["x-amz-request-id": "r\u{1b}[31m"],
                body: Array(
                    "<Error><Code>Bad\nerror: forged</Code><Message>\(text)</Message></Error>".utf8)
            ))
        let error = failure.error("read", bucket: "models", isWrite: false, origin: nil)
        #expect(error.message.utf8.count < 600)
        #expect(!error.message.contains("\n"))
        #expect(error.details["s3_request"] == "r [31m")
    }

    @Test("a bucket that is full, and one that is elsewhere, are said in words")
    func otherRefusals() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket) { $0.attempts = 1 }
        try server.harm(bucket, "PUT", "packs/a", .status(507, code: "XMinioStorageFull"))
        let full = await #expect(throws: LinajeError.self) {
            try await write([1], to: "packs/a", in: storage)
        }
        #expect(full?.code == .storageFull)
        let elsewhere = S3TestServer.Fault.status(
            301, code: "PermanentRedirect", headers: ["x-amz-bucket-region": "eu-west-3"])
        try server.harm(bucket, "GET", "packs/a", elsewhere)
        let moved = await #expect(throws: LinajeError.self) {
            try await storage.get("packs/a", range: 0..<1)
        }
        #expect(moved?.message.contains("eu-west-3") == true)
    }

    @Test("a call that is cancelled ends at once, in the middle of its repetitions")
    func cancelled() async throws {
        let server = try S3TestServer.shared
        let bucket = try server.bucket()
        let storage = try server.storage(bucket) {
            $0.firstBackOff = .seconds(60)
            $0.longestBackOff = .seconds(60)
        }
        try server.harm(bucket, "GET", "packs/a", .status(503, code: "SlowDown"), times: 100)
        let call = Task { try await storage.get("packs/a", range: 0..<1) }
        while try server.requests(bucket).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
    }
}
