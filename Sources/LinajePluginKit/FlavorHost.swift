import Glibc
public import LinajeDomain

/// Runs flavors in a process of their own: what the `main` of a plugin executable calls.
public enum FlavorHost {
    /// Speaks the protocol (`proto-spec/PROTOCOL.md`) on standard input and output until the other
    /// side hangs up, answering for `flavors`.
    ///
    /// Standard output belongs to the protocol: what flavors print goes to standard error instead.
    /// When the input ends while a flavor still works, the process ends at once.
    ///
    /// - Parameter name: What the process calls itself.
    /// - Returns: The exit status for the process: 0 after a clean end, 1 after a peer that broke
    ///   the protocol.
    public static func serve(
        _ flavors: [any ModelFlavor], name: String = "linaje-flavor-host",
        version: String = LinajeVersion.current
    ) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
            report("cannot keep standard output for the protocol: errno \(errno)")
            return 1
        }
        let channel = FrameChannel(
            input: STDIN_FILENO, output: output, ownership: .borrowed,
            // A flavor in an endless loop may hold every thread of the pool: the reading thread
            // must be able to end the process by itself.
            inputEnded: { _exit(0) })
        let session = FlavorHostSession(
            channel: channel, flavors: CompositeFlavor(flavors, name: name, version: version))
        do {
            try await session.run()
            return 0
        } catch {
            report("\(name): \((error as? LinajeError)?.message ?? "\(error)")")
            return 1
        }
    }

    private static func report(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
