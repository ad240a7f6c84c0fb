import Foundation
import LinajeDomain
import Synchronization
import Testing

@testable import S3Storage

@Suite("credentials of S3")
struct S3CredentialsTests {
    static let files: [String: String] = [
        "credentials": """
        # of people
        [default]
        aws_access_key_id = DEFAULT
        aws_secret_access_key=default-secret
        [ team ]
        aws_access_key_id=TEAM
        aws_secret_access_key = with=equals/and+more
        aws_session_token = team-token
        """,
        "config": """
        [default]
        region = eu-central-1
        s3 =
            addressing_style = path
        ; a comment
        [profile robot]
        aws_access_key_id = ROBOT
        aws_secret_access_key = robot-secret
        [profile assumed]
        role_arn = arn:aws:iam::1:role/x
        source_profile = default
        """,
    ]

    private static func environment(_ folder: TemporaryDirectory) throws -> [String: String] {
        for (name, text) in files {
            try text.write(toFile: "\(folder.path)/\(name)", atomically: true, encoding: .utf8)
        }
        return [
            "AWS_SHARED_CREDENTIALS_FILE": folder.path + "/credentials",
            "AWS_CONFIG_FILE": folder.path + "/config",
        ]
    }

    @Test(
        "a profile is found in either file",
        arguments: [
            (nil, "DEFAULT", "default-secret", nil),
            ("team", "TEAM", "with=equals/and+more", "team-token"),
            ("robot", "ROBOT", "robot-secret", nil),
        ] as [(String?, String, String, String?)])
    func profiles(profile: String?, id: String, secret: String, token: String?) async throws {
        let folder = try TemporaryDirectory()
        let source = SharedFiles(try Self.environment(folder), profile: profile)
        let found = try #require(try await source.credentials())
        #expect(found.accessKeyID == id)
        #expect(found.secretAccessKey.value == secret)
        #expect(found.sessionToken?.value == token)
    }

    @Test("AWS_PROFILE names the profile when nobody else does")
    func namedByEnvironment() async throws {
        let folder = try TemporaryDirectory()
        var environment = try Self.environment(folder)
        environment["AWS_PROFILE"] = "team"
        let found = try await SharedFiles(environment, profile: nil).credentials()
        #expect(found?.accessKeyID == "TEAM")
    }

    @Test("what systemd has handed over goes before the user's own file")
    func systemd() async throws {
        let folder = try TemporaryDirectory()
        let text = try #require(Self.files["credentials"])
        try text.write(
            toFile: folder.path + "/linaje.s3", atomically: true, encoding: .utf8)
        let environment = ["CREDENTIALS_DIRECTORY": folder.path, "HOME": "/nowhere"]
        let found = try await SharedFiles(environment, profile: nil).credentials()
        #expect(found?.accessKeyID == "DEFAULT")
    }

    @Test("a profile that is asked for by name and is not there, or is a role, is an error")
    func missingProfiles() async throws {
        let folder = try TemporaryDirectory()
        let environment = try Self.environment(folder)
        for (profile, what) in [("nobody", "nobody"), ("assumed", "role_arn")] {
            let error = await #expect(throws: LinajeError.self) {
                try await SharedFiles(environment, profile: profile).credentials()
            }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.message.contains(what) == true)
        }
        let nowhere = ["HOME": folder.path + "/nowhere"]
        #expect(try await SharedFiles(nowhere, profile: nil).credentials() == nil)
    }

    @Test("the environment has both or neither")
    func environment() async throws {
        let both = ["AWS_ACCESS_KEY_ID": "ID", "AWS_SECRET_ACCESS_KEY": "secret"]
        let found = try await EnvironmentCredentials(both).credentials()
        #expect(found?.accessKeyID == "ID")
        #expect(found?.sessionToken == nil)
        #expect(try await EnvironmentCredentials([:]).credentials() == nil)
        await #expect(throws: LinajeError.self) {
            try await EnvironmentCredentials(["AWS_ACCESS_KEY_ID": "ID"]).credentials()
        }
    }

    @Test("secrets are in no description, no dump and no error")
    func redacted() async throws {
        let credentials = S3Credentials(
            accessKeyID: "ID", secretAccessKey: Secret("hush-hush"),
            sessionToken: Secret("hush-token"), origin: "a test")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in [
            "\(credentials)", String(reflecting: credentials), dumped,
            "\(credentials.secretAccessKey)", String(describing: credentials.sessionToken),
        ] {
            #expect(!text.contains("hush"), "\(text)")
        }
    }

    // MARK: Renewal

    /// Lends credentials that end ten minutes after they were lent; fails when it is told to.
    private final class Lender: CredentialSource {
        let name = "a lender"
        let time = Mutex(Timestamp(microseconds: 0))
        let calls = Mutex(0)
        let fails = Mutex(false)

        func credentials() async throws -> S3Credentials? {
            let number = calls.withLock { calls in
                calls += 1
                return calls
            }
            if fails.withLock({ $0 }) { throw LinajeError(.unavailable, "nobody lends") }
            let end = time.withLock { $0.microseconds + 600_000_000 }
            return S3Credentials(
                accessKeyID: "LENT\(number)", secretAccessKey: Secret("s"),
                expires: Timestamp(microseconds: end), origin: "a test")
        }

        func pass(seconds: Int64) { time.withLock { $0.microseconds += seconds * 1_000_000 } }
    }

    @Test("lent credentials are renewed before they end, and kept while that fails")
    func renewal() async throws {
        let lender = Lender()
        let store = CredentialStore([lender]) { lender.time.withLock { $0 } }
        #expect(try await store.credentials().accessKeyID == "LENT1")
        lender.pass(seconds: 299)
        #expect(try await store.credentials().accessKeyID == "LENT1")
        lender.pass(seconds: 2)
        #expect(try await store.credentials().accessKeyID == "LENT2")
        lender.fails.withLock { $0 = true }
        lender.pass(seconds: 400)
        #expect(try await store.credentials().accessKeyID == "LENT2")
        // Not asked again at once.
        #expect(try await store.credentials().accessKeyID == "LENT2")
        #expect(lender.calls.withLock { $0 } == 3)
        lender.pass(seconds: 201)
        await #expect(throws: LinajeError.self) { try await store.credentials() }
        lender.fails.withLock { $0 = false }
        #expect(try await store.credentials().accessKeyID.hasPrefix("LENT"))
    }

    @Test("who is refused is not used again")
    func refused() async throws {
        let lender = Lender()
        let store = CredentialStore([lender]) { lender.time.withLock { $0 } }
        let first = try await store.credentials()
        await store.refused(first)
        #expect(try await store.credentials() != first)
    }

    @Test("that there are none says where they were looked for")
    func none() async throws {
        let store = CredentialStore(
            [EnvironmentCredentials([:]), SharedFiles([:], profile: nil)]
        ) { Timestamp(microseconds: 0) }
        let error = await #expect(throws: LinajeError.self) { try await store.credentials() }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("the environment") == true)
    }

    // MARK: Metadata

    private static func transport() -> HTTPTransport {
        HTTPTransport(connections: 2, connectTimeout: .seconds(120), idleTimeout: .seconds(120))
    }

    @Test(
        "an instance's role is asked for with a session token",
        .enabled(if: S3TestServer.isAvailable))
    func instance() async throws {
        let port = try S3TestServer.shared.metadataPort
        let source = InstanceCredentials(
            ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(port)/"],
            transport: Self.transport(), timeout: .seconds(240))
        let found = try #require(try await source.credentials())
        #expect(found.accessKeyID.hasPrefix("LENT"))
        #expect(found.secretAccessKey.value == "lent-secret")
        #expect(found.sessionToken?.value == "lent-token")
        #expect(found.expires != nil)
    }

    @Test("where nobody answers there is no instance, and none where that is forbidden")
    func noInstance() async throws {
        let closed = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"]
        let source = InstanceCredentials(closed, transport: Self.transport())
        #expect(try await source.credentials() == nil)
        let disabled = InstanceCredentials(
            ["AWS_EC2_METADATA_DISABLED": "true"], transport: Self.transport())
        #expect(try await disabled.credentials() == nil)
    }

    @Test("a container's role is asked for with its token", .enabled(if: S3TestServer.isAvailable))
    func container() async throws {
        let port = try S3TestServer.shared.metadataPort
        var environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:\(port)/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me-in",
        ]
        let found = try await ContainerCredentials(
            environment, transport: Self.transport(), timeout: .seconds(240)
        ).credentials()
        #expect(found?.sessionToken?.value == "lent-token")
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "wrong"
        let stranger = ContainerCredentials(
            environment, transport: Self.transport(), timeout: .seconds(240))
        let error = await #expect(throws: LinajeError.self) { try await stranger.credentials() }
        #expect(error?.message.contains("401") == true)
        #expect(error?.message.contains("wrong") == false)
    }

    @Test(
        "a container's endpoint that is neither https nor on this machine is not asked",
        arguments: [
            "http://example.com/x", "http://127.0.0.1.example.com/x", "http://127.0.0.1@evil/x",
            "ftp://127.0.0.1/x", "http://localhost.evil:80/", "http://127.0.0.1:80@evil/",
        ])
    func untrusted(url: String) async throws {
        let source = ContainerCredentials(
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url], transport: Self.transport())
        let error = await #expect(throws: LinajeError.self) { try await source.credentials() }
        #expect(error?.code == .failedPrecondition)
    }
}
