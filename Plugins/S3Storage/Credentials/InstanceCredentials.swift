import LinajeDomain

/// The role of an EC2 instance, from its metadata endpoint by IMDSv2: a session token first, without
/// which the endpoint's first version could be tricked into answering strangers.
package struct InstanceCredentials: CredentialSource {
    package static let standardEndpoint = "http://169.254.169.254"
    private static let path = "/latest/meta-data/iam/security-credentials/"

    package let name = "instance metadata"
    private let environment: [String: String]
    private let transport: HTTPTransport
    private let timeout: Duration

    /// - Parameter timeout: for each of three requests; elsewhere than on EC2 nobody answers.
    package init(
        _ environment: [String: String], transport: HTTPTransport, timeout: Duration = .seconds(1)
    ) {
        self.environment = environment
        self.transport = transport
        self.timeout = timeout
    }

    package func credentials() async throws -> S3Credentials? {
        if environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        var endpoint =
            environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
            ?? Self.standardEndpoint
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        let token: String
        do {
            token = try await ask(
                "PUT", endpoint + "/latest/api/token",
                [("x-aws-ec2-metadata-token-ttl-seconds", "21600")])
        } catch is HTTPTransport.Failure {
            // Nobody answers there: this is no such machine.
            return nil
        }
        let headers = [(name: "x-aws-ec2-metadata-token", value: token)]
        let list = try await answered { try await ask("GET", endpoint + Self.path, headers) }
        guard let role = list.split(whereSeparator: \.isNewline).first else { return nil }
        let document = try await answered {
            try await ask(
                "GET", endpoint + Self.path + PercentEncoding.path(String(role)), headers)
        }
        return try CredentialDocument.parse(document, origin: "role \(role) of the instance")
    }

    private func answered(_ body: () async throws -> String) async throws -> String {
        do {
            return try await body()
        } catch let failure as HTTPTransport.Failure {
            throw LinajeError(
                .unavailable,
                "instance metadata gave no credentials: \(failure.reason); try again")
        }
    }

    private func ask(
        _ method: String, _ url: String, _ headers: [(name: String, value: String)]
    ) async throws -> String {
        let answer = try await transport.send(
            .init(method: method, url: url, headers: headers),
            mostBytes: CredentialDocument.maximumBytes, timeout: timeout)
        guard answer.status == 200 else {
            throw HTTPTransport.Failure(
                reason: "it answered with status \(answer.status)", isTimeout: false)
        }
        return String(decoding: answer.body, as: UTF8.self)
    }
}
