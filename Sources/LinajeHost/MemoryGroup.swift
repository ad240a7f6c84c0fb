/// The memory cgroup of a process, as far as a kill for lack of memory can be seen in it.
///
/// Version 2 counts in `memory.events`, a cgroup and all below it; version 1 in
/// `memory.oom_control`, each cgroup for itself (Linux 4.13). Where the files are is read from
/// mountinfo, never guessed.
package struct MemoryGroup: Sendable, Hashable {
    /// A cgroup file system that can tell.
    package struct Mount: Sendable, Hashable {
        package var isVersion2: Bool
        /// What of the hierarchy is mounted.
        package var root: String
        /// Where.
        package var point: String
    }

    package var mount: Mount
    /// Folders from the process's own cgroup upwards, the own one first.
    package var folders: [String]

    /// Longest way up that is looked at.
    private static let depth = 16

    /// The cgroup of a process; `nil` when it has none that can be seen.
    package static func of(pid: Int32) -> MemoryGroup? {
        find(
            membership: SmallFile.lines("/proc/\(pid)/cgroup"),
            mounts: mounts(in: SmallFile.lines("/proc/self/mountinfo")))
    }

    /// Kills for lack of memory that the process's own cgroup has seen; `nil` when it is gone or
    /// does not count.
    package func ownKills() -> UInt64? { folders.first.flatMap(kills) }

    /// The same of each cgroup on the way up.
    package func kills() -> [UInt64?] { folders.map(kills) }

    /// The lowest limit in bytes on the way up; `nil` when there is none.
    package func limit() -> UInt64? {
        folders.compactMap { folder in
            let name = mount.isVersion2 ? "/memory.max" : "/memory.limit_in_bytes"
            guard let bytes = UInt64(SmallFile.text(folder + name)) else { return nil }
            // Version 1 writes the largest number of whole pages for none.
            return bytes < 1 << 62 ? bytes : nil
        }.min()
    }

    private func kills(_ folder: String) -> UInt64? {
        SmallFile.counter(
            "oom_kill", in: folder + (mount.isVersion2 ? "/memory.events" : "/memory.oom_control"))
    }

    /// The mounts that may count: of version 1 the one with the memory controller, of version 2 any.
    package static func mounts(in mountinfo: [Substring]) -> [Mount] {
        mountinfo.compactMap { line in
            let halves = line.split(separator: " - ", maxSplits: 1)
            guard halves.count == 2 else { return nil }
            let before = halves[0].split(separator: " ")
            let after = halves[1].split(separator: " ")
            guard before.count >= 5, after.count >= 3 else { return nil }
            let isVersion2 = after[0] == "cgroup2"
            guard
                isVersion2
                    || after[0] == "cgroup" && after[2].split(separator: ",").contains("memory")
            else { return nil }
            return Mount(
                isVersion2: isVersion2, root: unescaped(before[3]), point: unescaped(before[4]))
        }
    }

    /// The cgroup that lines of a /proc/PID/cgroup name, in one of the mounts. Where the memory
    /// controller is bound to version 1, that is the one that counts.
    package static func find(membership: [Substring], mounts: [Mount]) -> MemoryGroup? {
        var paths: [Bool: String] = [:]
        for line in membership {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[0] == "0", fields[1].isEmpty { paths[true] = String(fields[2]) }
            if fields[1].split(separator: ",").contains("memory") {
                paths[false] = String(fields[2])
            }
        }
        let isVersion2 = paths[false] == nil
        guard let path = paths[isVersion2] else { return nil }
        for mount in mounts where mount.isVersion2 == isVersion2 {
            if let folders = folders(of: path, in: mount) {
                return MemoryGroup(mount: mount, folders: folders)
            }
        }
        return nil
    }

    private static func folders(of path: String, in mount: Mount) -> [String]? {
        let root = mount.root == "/" ? "" : mount.root
        guard path == root || path.hasPrefix(root + "/") else { return nil }
        var rest = path.dropFirst(root.count).split(separator: "/")
        guard !rest.contains("..") else { return nil }
        var folders: [String] = []
        while folders.count < depth {
            folders.append(([mount.point[...]] + rest).joined(separator: "/"))
            if rest.popLast() == nil { break }
        }
        return folders
    }

    /// A field of mountinfo, where white space and backslashes stand as \ooo.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
