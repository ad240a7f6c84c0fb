import FoundationEssentials
import Glibc
import LinajeDomain

/// What the daemon's process uses, from /proc.
struct DaemonUsage: Sendable {
    /// Resident memory, and the most it ever was.
    var resident: ByteCount
    var peak: ByteCount
    /// Processor time, user and system.
    var processor: Duration

    /// `nil` where /proc does not show the process.
    init?(pid: Int32) {
        guard let status = Self.read("/proc/\(pid)/status"),
            let stat = Self.read("/proc/\(pid)/stat"), let nameEnd = stat.lastIndex(of: ")")
        else { return nil }
        resident = Self.kibibytes("VmRSS:", in: status)
        peak = Self.kibibytes("VmHWM:", in: status)
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]) else {
            return nil
        }
        let ticks = max(1, sysconf(Int32(_SC_CLK_TCK)))
        processor = .microseconds((user + system) * 1_000_000 / Int64(ticks))
    }

    private static func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func kibibytes(_ name: String, in status: String) -> ByteCount {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            let number = line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first
            return ByteCount((number.flatMap { UInt64($0) } ?? 0) * 1_024)
        }
        return ByteCount(0)
    }
}
