package import LinajeDomain

/// Notices whether the kernel has killed for lack of memory since the watch began.
package struct MemoryWatch: Sendable {
    private let group: MemoryGroup?
    private let kills: [UInt64?]
    private let limit: UInt64?
    private let machineKills: UInt64?

    /// Begins to watch the memory cgroup of a process.
    package init(pid: Int32) {
        group = MemoryGroup.of(pid: pid)
        kills = group?.kills() ?? []
        limit = group?.limit()
        machineKills = Self.machineKills()
    }

    /// Begins anew when the process has moved into another cgroup.
    package mutating func follow(pid: Int32) {
        guard MemoryGroup.of(pid: pid) != group else { return }
        self = MemoryWatch(pid: pid)
    }

    /// What the counters say now.
    package enum Evidence: Sendable, Hashable {
        case none
        /// The kernel killed in the process's own cgroup. `limit`: of its memory, in bytes; `nil`:
        /// there is none, the machine ran short.
        case certain(limit: UInt64?)
        /// It killed somewhere above, or somewhere on the machine.
        case likely(limit: UInt64?)
    }

    package func evidence() -> Evidence {
        if let group {
            let now = group.kills()
            if let before = kills.first ?? nil, let own = now.first ?? nil {
                return own > before ? .certain(limit: limit) : .none
            }
            // The own cgroup is gone. In version 2 those above have counted too.
            for (before, after) in zip(kills, now) {
                if group.mount.isVersion2, let before, let after {
                    return after > before ? .likely(limit: limit) : .none
                }
            }
        }
        guard let before = machineKills, let now = Self.machineKills(), now > before else {
            return .none
        }
        return .likely(limit: group == nil ? nil : limit)
    }

    /// What is known of an end with this evidence; `end` `nil`: nobody knows how it ended.
    package static func explain(
        _ end: ProcessEnd?, _ evidence: Evidence
    ) -> (end: ProcessEnd, cause: String) {
        var known = end ?? ProcessEnd()
        switch evidence {
        case .none: return (known, known.cause)
        case .certain(let limit) where known.signal == SignalName.kill:
            known.reason = .outOfMemory
            known.memoryLimit = limit
            return (known, known.cause)
        case .certain(let limit), .likely(let limit):
            let memory = ProcessEnd.memory(limit: limit)
            guard known.exitCode == nil else {
                // A process below it may have been the one, as under a shell.
                guard known.exitCode != 0, case .certain = evidence else {
                    return (known, known.cause)
                }
                return (
                    known, "\(known.cause); the kernel killed for lack of memory (\(memory))"
                )
            }
            guard known.signal == nil || known.signal == SignalName.kill else {
                return (known, known.cause)
            }
            let how = known.signal == nil ? "process ended" : known.cause
            return (known, "\(how), probably out of memory (\(memory))")
        }
    }

    private static func machineKills() -> UInt64? {
        SmallFile.counter("oom_kill", in: "/proc/vmstat")
    }
}
