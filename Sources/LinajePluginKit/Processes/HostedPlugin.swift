import LinajeDomain

/// What a plugin's process answers for.
protocol HostedPlugin: Sendable {
    var descriptor: PluginDescriptor { get }
    /// The names of its flavors; empty where it has none.
    var flavors: [String] { get }

    /// Answers a request with a message of its method.
    ///
    /// - Throws: `unknownMethod`; what the request is told.
    func answer(_ call: HostedCall) async throws -> [UInt8]
}

/// A request that a plugin's process has to answer.
struct HostedCall: Sendable {
    var opcode: UInt16
    var message: [UInt8]
    /// Where the plugin may ask back for the sake of it.
    var session: PluginHostSession
    var stream: UInt32
}
