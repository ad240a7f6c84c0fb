import Foundation
import LinajeDomain
import S3Storage

/// The server of `Fixtures/s3_server.py`, one for all tests of the process: real S3 with signatures
/// checked, behind a proxy that does harm on request.
final class S3TestServer: Sendable {
    /// Whether it can be started, or must be because somebody demanded it.
    static let isAvailable: Bool = {
        #if S3
            return TestPython.demanded != nil
                || (try? TestPython.run(["-c", "import boto3, flask_cors, moto.iam, moto.server"]))
                    == ""
        #else
            return false
        #endif
    }()

    private static let started = Result { try S3TestServer() }

    static var shared: S3TestServer { get throws { try started.get() } }

    /// What the server does to a request.
    enum Fault {
        case status(Int, code: String, headers: [String: String] = [:])
        case named(String)
        case slow(seconds: Double)

        fileprivate var order: [String: Any] {
            switch self {
            case .status(let status, let code, let headers):
                ["fault": "status", "status": status, "code": code, "headers": headers]
            case .named(let name): ["fault": name]
            case .slow(let seconds): ["fault": "slow", "seconds": seconds]
            }
        }
    }

    /// A request as the proxy saw it.
    struct Request {
        var method: String
        var path: String
        var headers: [String: String]
    }

    let proxyPort: Int
    let metadataPort: Int
    let accessKey: String
    let secretKey: String
    /// Of somebody who may read and list, and nothing else.
    private let reader: (key: String, secret: String)
    private let server: ServerScript

    private init() throws {
        let (server, hello) = try ServerScript.start("s3_server.py", python: TestPython.path)
        self.server = server
        guard let proxy = hello["proxy"] as? Int, let metadata = hello["metadata"] as? Int,
            let access = hello["access"] as? String, let secret = hello["secret"] as? String,
            let reader = hello["reader"] as? String,
            let readerSecret = hello["reader_secret"] as? String
        else { throw TestPython.Failure(message: "the S3 server of the tests said \(hello)") }
        (proxyPort, metadataPort, accessKey, secretKey) = (proxy, metadata, access, secret)
        self.reader = (reader, readerSecret)
    }

    // MARK: Orders

    /// A new bucket.
    func bucket() throws -> String { try text(ask(["do": "bucket"]), "bucket") }

    /// Does harm to the next `times` requests of that method whose path contains `part`.
    func harm(
        _ bucket: String, _ method: String, _ part: String = "", _ fault: Fault, times: Int = 1
    ) throws {
        var order = fault.order
        order["do"] = "fault"
        order["bucket"] = bucket
        order["method"] = method
        order["contains"] = part
        order["times"] = times
        _ = try ask(order)
    }

    /// What has been asked of a bucket so far.
    func requests(_ bucket: String) throws -> [Request] {
        let found = try ask(["do": "requests", "bucket": bucket])["requests"] as? [[String: Any]]
        return try (found ?? []).map {
            Request(
                method: try text($0, "method"), path: try text($0, "path"),
                headers: $0["headers"] as? [String: String] ?? [:])
        }
    }

    /// Uploads that have begun and not ended.
    func unfinishedUploads(_ bucket: String) throws -> Int {
        try ask(["do": "uploads", "bucket": bucket])["count"] as? Int ?? -1
    }

    /// Puts an object past the backend.
    func put(_ bucket: String, _ key: String, _ bytes: [UInt8]) throws {
        _ = try ask([
            "do": "put", "bucket": bucket, "key": key,
            "bytes": Data(bytes).base64EncodedString(),
        ])
    }

    /// The SHA-256 of an object, read past the backend.
    func sha256(_ bucket: String, _ key: String) throws -> String {
        try text(ask(["do": "sha256", "bucket": bucket, "key": key]), "sha256")
    }

    /// Says how many seconds lent credentials live, and how often some were lent.
    func lentCredentials(lifetime: Int? = nil) throws -> Int {
        var order: [String: Any] = ["do": "metadata"]
        if let lifetime { order["set"] = ["lifetime": lifetime] }
        return try ask(order)["given"] as? Int ?? -1
    }

    private func ask(_ order: [String: Any]) throws -> [String: Any] { try server.ask(order) }

    private func text(_ values: [String: Any], _ key: String) throws -> String {
        try server.text(values, key)
    }
}

extension S3TestServer {
    var environment: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey,
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    var readerEnvironment: [String: String] {
        environment.merging([
            "AWS_ACCESS_KEY_ID": reader.key, "AWS_SECRET_ACCESS_KEY": reader.secret,
        ]) { $1 }
    }

    /// Its times are so long that only a fault which is meant to runs into one, whatever else the
    /// machine has to do.
    func configuration(_ bucket: String, prefix: String = "") -> S3Configuration {
        S3Configuration(
            bucket: bucket, prefix: prefix, endpoint: "http://127.0.0.1:\(proxyPort)",
            partBytes: S3Configuration.smallestPartBytes, firstBackOff: .milliseconds(1),
            longestBackOff: .milliseconds(20), connectTimeout: .seconds(120),
            idleTimeout: .seconds(120), requestTimeout: .seconds(240))
    }

    func storage(
        _ bucket: String, prefix: String = "", environment: [String: String]? = nil,
        _ change: (inout S3Configuration) -> Void = { _ in }
    ) throws -> S3Storage {
        var configuration = configuration(bucket, prefix: prefix)
        change(&configuration)
        return try S3Storage(configuration, environment: environment ?? self.environment)
    }
}
