import Glibc

/// When processes started, as the kernel counts it.
package enum ProcessClock {
    /// Start of this process in clock ticks since boot (field 22 of /proc/self/stat); `nil` where
    /// there is no /proc.
    package static func startOfThisProcess() -> UInt64? {
        let descriptor = Glibc.open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return start(inStat: bytes[..<count])
    }

    /// Field 22 of the text of a /proc/PID/stat. The name in field 2 may hold anything, so fields
    /// are counted after its last ")".
    package static func start(inStat text: ArraySlice<UInt8>) -> UInt64? {
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[text.index(after: end)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }
}
