import Foundation
import LinajeConformance
import LinajePluginKit
import S3Storage
import Testing

/// OpenStack Swift with its s3api, as Debian packages it: another S3 than moto's, whose requests pass
/// a real proxy, and which knows neither conditional writes nor checksums of SHA-256.
///
/// Runs where `swift-proxy`, `swift-account`, `swift-container` and `swift-object` are installed
/// and `LINAJE_SWIFT_PYTHON` names the Python that has them, Debian's /usr/bin/python3.
private final class SwiftTestServer: Sendable {
    private static let python =
        ProcessInfo.processInfo.environment["LINAJE_SWIFT_PYTHON"]

    static let isAvailable: Bool = {
        #if S3
            guard let python else { return false }
            let look = Process()
            look.executableURL = URL(fileURLWithPath: python)
            look.arguments = [
                "-c", "import swift.account, swift.container, swift.obj, swift.proxy",
            ]
            look.standardError = FileHandle.nullDevice
            guard (try? look.run()) != nil else { return false }
            look.waitUntilExit()
            return look.terminationStatus == 0
        #else
            return false
        #endif
    }()

    private static let started = Result { try SwiftTestServer() }
    static var shared: SwiftTestServer { get throws { try started.get() } }

    private let server: ServerScript
    private let port: Int
    private let access: String
    private let secret: String

    private init() throws {
        let (server, hello) = try ServerScript.start("swift_server.py", python: Self.python ?? "")
        self.server = server
        port = hello["port"] as? Int ?? 0
        access = try server.text(hello, "access")
        secret = try server.text(hello, "secret")
    }

    /// A store in a new bucket.
    func storage() throws -> S3Storage {
        let bucket = try server.text(server.ask(["do": "bucket"]), "bucket")
        return try S3Storage(
            S3Configuration(
                bucket: bucket, prefix: "", endpoint: "http://127.0.0.1:\(port)",
                partBytes: S3Configuration.smallestPartBytes, firstBackOff: .milliseconds(1),
                longestBackOff: .milliseconds(20), connectTimeout: .seconds(120),
                idleTimeout: .seconds(120), requestTimeout: .seconds(240)),
            environment: [
                "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_EC2_METADATA_DISABLED": "true",
            ])
    }
}

@Suite(
    "S3Storage in OpenStack Swift",
    .enabled(if: SwiftTestServer.isAvailable, "Debian's swift-* packages are not installed"))
struct SwiftStorageTests {
    @Test(
        "S3Storage is an artifact backend in Swift, too",
        arguments: ArtifactBackendSuite.cases { try SwiftTestServer.shared.storage() })
    func conformance(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("a large object goes up in parts and comes back whole")
    func parts() async throws {
        let storage = try SwiftTestServer.shared.storage()
        var generator = SeededGenerator(seed: 6)
        let content = generator.bytes((11 << 20) + 5)
        let writer = try await storage.put("packs/large")
        try await writer.write(content)
        try await writer.commit()
        let isWhole = try await storage.get("packs/large", range: 0..<UInt64.max) == content
        #expect(isWhole)
        #expect(try await storage.list(prefix: "packs/").map(\.size) == [UInt64(content.count)])
    }
}
