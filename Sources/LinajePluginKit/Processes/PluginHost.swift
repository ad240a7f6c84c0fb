import Glibc
import LinajeDomain

/// The life of a plugin's process.
enum PluginHost {
    /// Speaks the protocol (`proto-spec/PROTOCOL.md`) on standard input and output until the other
    /// side hangs up.
    ///
    /// Standard output belongs to the protocol: what the plugin prints goes to standard error instead.
    /// When the input ends while a request is still worked on, the process ends at once.
    ///
    /// - Returns: The exit status for the process: 0 after a clean end, 1 after a peer that broke
    ///   the protocol.
    static func serve(_ plugin: any HostedPlugin) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
            report("cannot keep standard output for the protocol: errno \(errno)")
            return 1
        }
        let channel = FrameChannel(
            input: STDIN_FILENO, output: output, ownership: .borrowed,
            // A plugin in an endless loop may hold every thread of the pool: the reading thread must
            // be able to end the process by itself.
            inputEnded: { _exit(0) })
        do {
            try await PluginHostSession(channel: channel, plugin: plugin).run()
            return 0
        } catch {
            report("\(plugin.descriptor.name): \((error as? LinajeError)?.message ?? "\(error)")")
            return 1
        }
    }

    private static func report(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
