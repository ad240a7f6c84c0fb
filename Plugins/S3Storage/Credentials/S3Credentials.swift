package import LinajeDomain

/// A text that no log, error or debugger's description shows.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The text itself, for signatures and headers only.
    package let value: String

    package init(_ value: String) { self.value = value }

    package var description: String { "<redacted>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Who signs a request.
package struct S3Credentials: Sendable, Hashable {
    package var accessKeyID: String
    package var secretAccessKey: Secret
    /// Of credentials that were lent for a time.
    package var sessionToken: Secret?
    /// When they end; `nil`: never.
    package var expires: Timestamp?
    /// Where they came from, for messages: "the environment", "profile default".
    package var origin: String

    package init(
        accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil,
        expires: Timestamp? = nil, origin: String
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expires = expires
        self.origin = origin
    }
}

/// A place where credentials may be found.
package protocol CredentialSource: Sendable {
    /// What it is called in messages.
    var name: String { get }

    /// The credentials, or `nil` where this place has none.
    ///
    /// - Throws: when it should have some and they cannot be had.
    func credentials() async throws -> S3Credentials?
}
