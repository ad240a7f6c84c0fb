/// Tells a process from a later one with the same number.
package enum ProcessIdentity {
    /// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat). `nil` when
    /// there is no such process.
    package static func start(of pid: Int32) -> UInt64? {
        ProcessState(of: pid)?.start
    }

    /// The same of this process; `nil` where there is no /proc.
    package static func startOfThisProcess() -> UInt64? {
        SmallFile.read("/proc/self/stat").flatMap { ProcessState(stat: $0[...])?.start }
    }

    /// The id of this boot of the machine: pids and start times are counted anew in the next. Empty
    /// where the kernel does not tell.
    package static let boot = SmallFile.text("/proc/sys/kernel/random/boot_id")
}

/// What /proc/PID/stat says of a process at one moment.
package struct ProcessState: Sendable, Hashable {
    /// In clock ticks since boot (field 22).
    package var start: UInt64
    /// Whether it has ended and its parent has not reaped it yet.
    package var isZombie: Bool
    /// The wait status of a zombie (field 52); 0 too when we may not know.
    package var waitStatus: Int32

    /// `nil` when there is no such process.
    package init?(of pid: Int32) {
        guard pid > 0, let bytes = SmallFile.read("/proc/\(pid)/stat") else { return nil }
        self.init(stat: bytes[...])
    }

    /// Reads the text of a /proc/PID/stat. The name in field 2 may hold anything, so fields are
    /// counted after its last ")".
    package init?(stat text: ArraySlice<UInt8>) {
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[text.index(after: end)...].split { $0 == 0x20 || $0 == 0x0A }
        guard fields.count > 19, let start = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        self.start = start
        isZombie = fields[0].elementsEqual("Z".utf8)
        waitStatus =
            fields.count > 49 ? Int32(String(decoding: fields[49], as: UTF8.self)) ?? 0 : 0
    }
}
