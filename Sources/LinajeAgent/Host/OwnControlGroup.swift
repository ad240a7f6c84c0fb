import Glibc
import LinajeHost

/// The version 2 control group of a run, where nobody else is in it: its counters are exact, also for
/// processes that lived between two looks only.
struct OwnControlGroup: Sendable {
    let folder: String
    /// Microseconds of processor time since the group was made.
    let cpuMicroseconds: UInt64?
    let memoryBytes: UInt64?

    /// Folders below a group that are looked into, and processes of it.
    private static let mostFolders = 64

    /// The group of a run's owner; `nil` when it is the root, or has a process that is not of the run.
    static func find(owner: Int32, members: Set<Int32>) -> OwnControlGroup? {
        let lines = SmallFile.lines("/proc/\(owner)/cgroup")
        guard let line = lines.first(where: { $0.hasPrefix("0::/") }), line != "0::/" else {
            return nil
        }
        let mounts = MemoryGroup.mounts(in: SmallFile.lines("/proc/self/mountinfo"))
        guard
            let group = MemoryGroup.find(
                membership: [line], mounts: mounts.filter(\.isVersion2)),
            let folder = group.folders.first, folder != group.mount.point
        else { return nil }
        var waiting = [folder]
        var seen = 0
        while let next = waiting.popLast() {
            seen += 1
            guard seen <= mostFolders, let below = folders(in: next) else { return nil }
            waiting += below
            for line in SmallFile.lines(next + "/cgroup.procs") {
                guard let pid = Int32(line), members.contains(pid) else { return nil }
            }
        }
        let statistics = SmallFile.text(folder + "/cpu.stat")
        return OwnControlGroup(
            folder: folder, cpuMicroseconds: HostText.counter("usage_usec", statistics),
            memoryBytes: UInt64(SmallFile.text(folder + "/memory.current")))
    }

    private static func folders(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var found: [String] = []
        while let entry = readdir(folder) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { found.append(path + "/" + name) }
        }
        return found
    }
}
