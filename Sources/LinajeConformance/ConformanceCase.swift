/// One thing that every plugin of a kind must do, as a plain value: any test framework, and none,
/// can run it.
public struct ConformanceCase: Sendable, CustomStringConvertible {
    /// A sentence that states the behaviour.
    public let name: String
    /// Returns when the plugin behaves so; throws `ConformanceFailure`, or what the plugin threw,
    /// when it does not.
    public let body: @Sendable () async throws -> Void

    public init(_ name: String, body: @Sendable @escaping () async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var description: String { name }
}

/// What a plugin did wrong.
public struct ConformanceFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
