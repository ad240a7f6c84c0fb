import LinajeDomain

/// Runs an artifact backend in a process of its own: what the `main` of a storage plugin calls.
public enum BackendHost {
    /// Makes the store of a place and its options, as the address of the remote has them.
    ///
    /// It throws `invalidArgument` for what it does not understand.
    public typealias Opening =
        @Sendable (_ place: String, _ options: [String: String]) async throws -> any ArtifactBackend

    /// Speaks the protocol (`proto-spec/PROTOCOL.md`) on standard input and output until the other
    /// side hangs up. Standard output belongs to it: what the plugin prints goes to standard error.
    ///
    /// - Parameters:
    ///   - name: The plugin's name, as in its manifest.
    ///   - open: Called once.
    /// - Returns: The exit status for the process.
    public static func serve(
        name: String, version: String, open: @escaping Opening
    ) async -> Int32 {
        await PluginHost.serve(
            HostedBackend(
                PluginDescriptor(name: name, kind: .artifactBackend, version: version), open: open))
    }
}
