/// What is known of the end of a run's process. What is not known is `nil`.
public struct ProcessEnd: Sendable, Hashable, Codable {
    /// How a process ended.
    public enum Reason: String, Sendable, Hashable, Codable, CaseIterable {
        /// Nobody knows.
        case unknown
        /// It left by itself, with an exit code.
        case exited
        /// A signal ended it.
        case signaled
        /// The kernel killed it because memory was short.
        case outOfMemory = "out_of_memory"
        /// The machine was started anew since.
        case machineRestarted = "machine_restarted"
        /// The command could not be started.
        case notStarted = "not_started"
    }

    /// Who knows it.
    public enum Source: String, Sendable, Hashable, Codable, CaseIterable {
        case nobody
        /// The parent, which waited for it.
        case parent
        /// The kernel told the daemon.
        case kernel
    }

    public var reason: Reason
    public var source: Source
    public var exitCode: Int32?
    public var signal: Int32?
    /// Whether its memory was written to a core file.
    public var coreDumped = false
    /// For `outOfMemory`: the limit of its memory cgroup; `nil` when the machine ran short.
    public var memoryLimit: UInt64?
    /// Largest resident memory in bytes of it or of any one process that it waited for.
    public var peakMemory: UInt64?
    /// From its start to its end.
    public var durationMicroseconds: UInt64?
    /// Processor time in user mode, with that of the processes it waited for.
    public var userMicroseconds: UInt64?
    /// The same in the kernel.
    public var systemMicroseconds: UInt64?
    /// The last lines that it wrote to standard error, oldest first.
    public var lastErrors: [String] = []

    public init(reason: Reason = .unknown, source: Source = .nobody) {
        self.reason = reason
        self.source = source
    }

    /// The end that a wait status (`wait(2)`) tells.
    public init(waitStatus: Int32, source: Source) {
        let signal = waitStatus & 0x7f
        self.init(reason: signal == 0 ? .exited : .signaled, source: source)
        if signal == 0 {
            exitCode = waitStatus >> 8 & 0xff
        } else {
            self.signal = signal
            coreDumped = waitStatus & 0x80 != 0
        }
    }

    /// The sentence for people: "killed by SIGKILL", "exited with code 3".
    public var cause: String {
        switch reason {
        case .unknown: return "process ended, cause unknown"
        case .exited: return "exited with code \(exitCode ?? 0)"
        case .signaled:
            let name = signal.map(SignalName.text) ?? "a signal"
            return "killed by \(name)" + (coreDumped ? " (core dumped)" : "")
        case .outOfMemory:
            return "out of memory: killed by the kernel (\(Self.memory(limit: memoryLimit)))"
        case .machineRestarted: return "machine restarted"
        case .notStarted: return "could not be started"
        }
    }

    /// Whose memory ran short, for people.
    public static func memory(limit: UInt64?) -> String {
        limit.map { "memory cgroup of the process, limit \(ByteCount($0))" }
            ?? "the machine ran out of memory"
    }

    /// - Throws: `limitExceeded` for more last lines, or longer ones, than are kept.
    public func checked() throws -> ProcessEnd {
        let bytes = lastErrors.reduce(0) { $0 + $1.utf8.count }
        guard lastErrors.count <= Limits.lastErrorLines, bytes <= Limits.lastErrorBytes else {
            throw LinajeError(
                .limitExceeded,
                "end of the process has \(lastErrors.count) last lines of \(bytes) bytes; at most "
                    + "\(Limits.lastErrorLines) lines of \(Limits.lastErrorBytes) bytes are kept")
        }
        return self
    }
}

/// Names of signals on Linux.
public enum SignalName {
    /// SIGKILL.
    public static let kill: Int32 = 9

    /// "SIGKILL"; "signal 42" for one without a name.
    public static func text(_ number: Int32) -> String {
        let index = Int(number) - 1
        return names.indices.contains(index) ? "SIG" + names[index] : "signal \(number)"
    }

    /// From 1 on, as on x86 and Arm (signal(7)).
    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ]
}
