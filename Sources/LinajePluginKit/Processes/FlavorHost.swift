public import LinajeDomain

/// Runs flavors in a process of their own: what the `main` of a plugin executable calls.
public enum FlavorHost {
    /// Speaks the protocol (`proto-spec/PROTOCOL.md`) on standard input and output until the other
    /// side hangs up, answering for `flavors`.
    ///
    /// Standard output belongs to the protocol: what flavors print goes to standard error instead.
    /// When the input ends while a flavor still works, the process ends at once.
    ///
    /// - Parameters:
    ///   - name: What the process calls itself.
    ///   - failed: The least that a model's verdict is when a flavor failed on it.
    /// - Returns: The exit status for the process: 0 after a clean end, 1 after a peer that broke
    ///   the protocol.
    public static func serve(
        _ flavors: [any ModelFlavor], name: String = "linaje-flavor-host",
        version: String = LinajeVersion.current, failed: ScanVerdict? = nil
    ) async -> Int32 {
        await PluginHost.serve(
            HostedFlavors(
                CompositeFlavor(flavors, name: name, version: version, failed: failed)))
    }
}
