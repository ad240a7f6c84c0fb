import FoundationEssentials
import LinajeDomain
import NIOPosix

/// The role of a container (ECS, EKS Pod Identity), from the endpoint that its environment names.
package struct ContainerCredentials: CredentialSource {
    /// The hosts that may be asked without TLS: this machine and the two services themselves.
    private static let trusted = [
        "127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
    ]

    package let name = "container metadata"
    private let environment: [String: String]
    private let transport: HTTPTransport
    private let timeout: Duration

    package init(
        _ environment: [String: String], transport: HTTPTransport, timeout: Duration = .seconds(5)
    ) {
        self.environment = environment
        self.transport = transport
        self.timeout = timeout
    }

    package func credentials() async throws -> S3Credentials? {
        guard let url = try url() else { return nil }
        var headers: [(name: String, value: String)] = []
        if let token = try await token() { headers.append(("authorization", token)) }
        let answer: HTTPTransport.Answer
        do {
            answer = try await transport.send(
                .init(method: "GET", url: url, headers: headers),
                mostBytes: CredentialDocument.maximumBytes, timeout: timeout)
        } catch let failure as HTTPTransport.Failure {
            throw LinajeError(
                .unavailable, "container metadata gave no credentials: \(failure.reason); try again"
            )
        }
        guard answer.status == 200 else {
            throw LinajeError(
                answer.status >= 500 ? .unavailable : .failedPrecondition,
                "container metadata gave no credentials: it answered with status "
                    + "\(answer.status); check the container's role")
        }
        return try CredentialDocument.parse(
            String(decoding: answer.body, as: UTF8.self), origin: "the container's role")
    }

    private func url() throws -> String? {
        if let path = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], path.hasPrefix("/") {
            return "http://169.254.170.2" + path
        }
        guard let full = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], !full.isEmpty else {
            return nil
        }
        if full.hasPrefix("https://") || Self.isTrusted(full) { return full }
        throw LinajeError(
            .failedPrecondition,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine; correct it")
    }

    private static func isTrusted(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let rest = url.dropFirst("http://".count)
        let server = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != "@" }
        // A user's name before the host would make another host of it.
        guard !rest.prefix(while: { $0 != "/" }).contains("@") else { return false }
        return trusted.contains { host in
            server == host
                || (server.hasPrefix(host + ":")
                    && server.dropFirst(host.count + 1).allSatisfy(\.isNumber))
        }
    }

    private func token() async throws -> String? {
        if let path = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], !path.isEmpty {
            // Read each time: it is exchanged while the container runs.
            let text = try await NIOThreadPool.singleton.runIfActive {
                try? String(contentsOfFile: path, encoding: .utf8)
            }
            guard let text else {
                throw LinajeError(
                    .failedPrecondition,
                    "the container's token file \(path) cannot be read; check its permissions")
            }
            return text.split(whereSeparator: \.isNewline).first.map(String.init)
        }
        return environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// What both metadata endpoints answer: JSON with the credentials and their end.
enum CredentialDocument {
    /// Longest answer of an endpoint.
    static let maximumBytes = 64 << 10

    private struct Content: Decodable {
        var AccessKeyId: String?
        var SecretAccessKey: String?
        var Token: String?
        var Expiration: String?
        var Code: String?
        var Message: String?
    }

    /// - Throws: `failedPrecondition`; the document itself is never shown.
    static func parse(_ text: String, origin: String) throws -> S3Credentials {
        guard let content = try? JSONDecoder().decode(Content.self, from: Data(text.utf8)) else {
            throw LinajeError(
                .failedPrecondition, "\(origin) gave no credentials but something else; check it")
        }
        guard content.Code == nil || content.Code == "Success", let id = content.AccessKeyId,
            let secret = content.SecretAccessKey, !id.isEmpty, !secret.isEmpty
        else {
            let reason = content.Message ?? content.Code ?? "the document names none"
            throw LinajeError(
                .failedPrecondition,
                "\(origin) gave no credentials: \(reason.prefix(200)); check the role")
        }
        let expires = content.Expiration.flatMap { Timestamp(text: $0) }
        guard content.Expiration == nil || expires != nil else {
            throw LinajeError(
                .failedPrecondition, "\(origin) gave credentials whose end is no time; check it")
        }
        return S3Credentials(
            accessKeyID: id, secretAccessKey: Secret(secret),
            sessionToken: content.Token.map(Secret.init), expires: expires, origin: origin)
    }
}
