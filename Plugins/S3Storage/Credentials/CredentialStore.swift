package import LinajeDomain

/// The credentials in use: found once, renewed before they end.
package actor CredentialStore {
    /// How long before their end credentials are renewed.
    package static let margin: Int64 = 5 * 60 * 1_000_000
    /// How long a renewal that failed is not tried again while the old ones are still good.
    package static let pause: Int64 = 15 * 1_000_000

    private let sources: [any CredentialSource]
    private let now: @Sendable () -> Timestamp
    private var current: S3Credentials?
    private var loading: Task<S3Credentials, any Error>?
    private var nextRenewal = Timestamp(microseconds: .min)

    /// - Parameter sources: the places, the first that has some wins.
    package init(_ sources: [any CredentialSource], now: @Sendable @escaping () -> Timestamp) {
        self.sources = sources
        self.now = now
    }

    /// Credentials that are good for some minutes, or the best there are.
    ///
    /// - Throws: `failedPrecondition` naming the places where none were found.
    package func credentials() async throws -> S3Credentials {
        let moment = now()
        if let current, !isEnding(current, moment) || moment < nextRenewal { return current }
        do {
            return try await load()
        } catch {
            guard let current, let end = current.expires, end > now() else { throw error }
            nextRenewal = Timestamp(microseconds: now().microseconds + Self.pause)
            return current
        }
    }

    /// The server does not take these: the next call finds others.
    package func refused(_ credentials: S3Credentials) {
        if current == credentials { current = nil }
    }

    private func isEnding(_ credentials: S3Credentials, _ moment: Timestamp) -> Bool {
        guard let end = credentials.expires else { return false }
        return end.microseconds - moment.microseconds < Self.margin
    }

    /// Asks once, however many wait.
    private func load() async throws -> S3Credentials {
        if let loading { return try await loading.value }
        // Unstructured because many requests wait for it: that one is cancelled must not stop it.
        let task = Task { [sources] in try await Self.find(sources) }
        loading = task
        defer { loading = nil }
        let found = try await task.value
        current = found
        nextRenewal = Timestamp(microseconds: .min)
        return found
    }

    private static func find(_ sources: [any CredentialSource]) async throws -> S3Credentials {
        for source in sources {
            if let found = try await source.credentials() { return found }
        }
        let names = sources.map(\.name).joined(separator: ", ")
        throw LinajeError(
            .failedPrecondition,
            "no S3 credentials in \(names); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
                + "write them to ~/.aws/credentials")
    }
}
