package import LinajeDomain

/// Notices whether the kernel has just killed for lack of memory.
///
/// A cgroup may hold many processes and live for days, so a kill counts only when it is younger than
/// the count before last: `follow` counts anew.
package struct MemoryWatch: Sendable {
    private struct Counts: Sendable {
        /// Of the own cgroup and those above it.
        var kills: [UInt64?]
        var machineKills: UInt64?

        init(_ group: MemoryGroup?) {
            kills = group?.kills() ?? []
            machineKills = SmallFile.counter("oom_kill", in: "/proc/vmstat")
        }
    }

    private let group: MemoryGroup?
    private let limit: UInt64?
    /// The last count, and the one before: a process may take a while to die after the first was
    /// taken.
    private var before: Counts
    private var last: Counts

    /// Begins to watch the memory cgroup of a process.
    package init(pid: Int32) {
        group = MemoryGroup.of(pid: pid)
        limit = group?.limit()
        last = Counts(group)
        before = last
    }

    /// Counts anew, or begins anew when the process has moved into another cgroup. Call it every few
    /// seconds.
    package mutating func follow(pid: Int32) {
        guard let now = MemoryGroup.of(pid: pid) else { return }
        guard now == group else {
            self = MemoryWatch(pid: pid)
            return
        }
        before = last
        last = Counts(group)
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
            if let own = before.kills.first ?? nil, let now = group.ownKills() {
                return now > own ? .certain(limit: limit) : .none
            }
            // The own cgroup is gone. In version 2 those above have counted too.
            for (before, after) in zip(before.kills, group.kills()) {
                if group.mount.isVersion2, let before, let after {
                    return after > before ? .likely(limit: limit) : .none
                }
            }
        }
        guard let before = before.machineKills, let now = Counts(nil).machineKills, now > before
        else { return .none }
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
}
