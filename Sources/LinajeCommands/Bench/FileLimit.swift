import FoundationEssentials
import Glibc

/// How many files a process may have open.
enum FileLimit {
    /// Takes what the hard limit allows, and returns it.
    @discardableResult
    static func raise() -> Int {
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1_024 }
        limit.rlim_cur = limit.rlim_max
        return setrlimit(resource, &limit) == 0 ? Int(clamping: limit.rlim_max) : 1_024
    }

    /// That of another process; `nil` where /proc does not show it.
    static func of(pid: Int32) -> Int? {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/limits").map {
            String(decoding: $0, as: UTF8.self)
        }
        let line = text?.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        return line?.dropFirst("Max open files".count).split(separator: " ").first.flatMap {
            Int($0)
        }
    }
}
