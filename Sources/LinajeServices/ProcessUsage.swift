import Dispatch
import Glibc
import LinajeHost

/// What this process uses of the machine, from /proc. What /proc does not say is 0.
package struct ProcessUsage: Sendable, Hashable {
    /// Processor time, user and system.
    package var processor = Duration.zero
    package var residentBytes: UInt64 = 0
    package var virtualBytes: UInt64 = 0
    package var openFiles: UInt64 = 0
    package var openFilesLimit: UInt64 = 0
    /// When the process started, in seconds since 1970 UTC.
    package var startedAt = 0.0
    /// Free bytes and all bytes of the file system of the state directory.
    package var freeBytes: UInt64 = 0
    package var totalBytes: UInt64 = 0

    private static let queue = DispatchQueue(label: "linaje.process-usage")

    /// Looks it up, on a thread of its own: a file system may take its time to answer.
    package static func current(stateDirectory: String) async -> ProcessUsage {
        await withCheckedContinuation { continuation in
            queue.async {
                var usage = ProcessUsage()
                usage.readStat()
                usage.countFiles()
                usage.measureDisk(stateDirectory)
                continuation.resume(returning: usage)
            }
        }
    }

    /// Fields of /proc/self/stat (proc_pid_stat(5)), counted after the name, which may hold
    /// anything.
    private mutating func readStat() {
        let stat = SmallFile.text("/proc/self/stat")
        guard let nameEnd = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        func field(_ number: Int) -> UInt64 {
            number - 3 < fields.count ? UInt64(fields[number - 3]) ?? 0 : 0
        }
        let ticks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let time = Int64(clamping: (field(14) &+ field(15)).multipliedClamped(1_000_000) / ticks)
        processor = .microseconds(time)
        virtualBytes = field(23)
        residentBytes = field(24).multipliedClamped(UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))))
        if let boot = SmallFile.counter("btime", in: "/proc/stat") {
            startedAt = Double(boot) + Double(field(22)) / Double(ticks)
        }
    }

    private mutating func countFiles() {
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 {
            openFilesLimit = UInt64(limit.rlim_cur)
        }
        // Linux 6.2 and later say the number as the size; before, the entries are counted.
        var status = stat()
        if stat("/proc/self/fd", &status) == 0, status.st_size > 0 {
            openFiles = UInt64(status.st_size)
            return
        }
        guard let directory = opendir("/proc/self/fd") else { return }
        defer { closedir(directory) }
        var entries: UInt64 = 0
        while readdir(directory) != nil { entries += 1 }
        // ".", ".." and the directory itself.
        openFiles = entries > 3 ? entries - 3 : 0
    }

    private mutating func measureDisk(_ path: String) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        freeBytes = UInt64(status.f_bavail).multipliedClamped(UInt64(status.f_frsize))
        totalBytes = UInt64(status.f_blocks).multipliedClamped(UInt64(status.f_frsize))
    }
}

extension UInt64 {
    fileprivate func multipliedClamped(_ other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
