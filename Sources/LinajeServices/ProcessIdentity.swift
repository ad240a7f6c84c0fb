import Glibc

/// Tells a process from a later one with the same number.
package enum ProcessIdentity {
    /// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. `nil` when
    /// there is no such process.
    package static func start(of pid: Int32) -> UInt64? {
        guard pid > 0 else { return nil }
        let descriptor = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1_024)
        let count = read(descriptor, &bytes, bytes.count)
        // The second field is the command in parentheses, which may hold spaces and parentheses.
        guard count > 0, let paren = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else {
            return nil
        }
        let fields = bytes[(paren + 1)..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }
}
