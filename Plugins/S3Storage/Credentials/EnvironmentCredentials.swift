import LinajeDomain

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, of credentials that are lent,
/// `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: CredentialSource {
    package let name = "the environment"
    private let environment: [String: String]

    package init(_ environment: [String: String]) { self.environment = environment }

    package func credentials() async throws -> S3Credentials? {
        guard let id = environment["AWS_ACCESS_KEY_ID"], !id.isEmpty else { return nil }
        guard let secret = environment["AWS_SECRET_ACCESS_KEY"], !secret.isEmpty else {
            throw LinajeError(
                .failedPrecondition,
                "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; set both or neither")
        }
        let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        return S3Credentials(
            accessKeyID: id, secretAccessKey: Secret(secret), sessionToken: token.map(Secret.init),
            origin: name)
    }
}
