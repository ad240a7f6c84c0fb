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

    /// A cgroup as it was counted.
    private struct Place: Sendable {
        var group: MemoryGroup?
        var limit: UInt64?
        var counts: Counts

        init(_ group: MemoryGroup?) {
            self.group = group
            limit = group?.limit()
            counts = Counts(group)
        }
    }

    /// How long a count holds at least: a process may take a while to die after it was killed.
    private static let countAge = Duration.seconds(1)

    /// As it was at the count before last.
    private var before: Place
    private var last: Counts
    private var counted: ContinuousClock.Instant
    /// Where the process was before it moved, until the next count: version 1 moves one that dies to
    /// the root, before anybody is told that it has died.
    private var former: Place?

    /// Begins to watch the memory cgroup of a process.
    package init(pid: Int32) { self.init(.of(pid: pid), at: .now) }

    init(_ group: MemoryGroup?, at moment: ContinuousClock.Instant) {
        before = Place(group)
        last = before.counts
        counted = moment
    }

    /// Counts anew, or begins anew when the process has moved into another cgroup. Call it every few
    /// seconds.
    package mutating func follow(pid: Int32) { follow(.of(pid: pid), at: .now) }

    mutating func follow(_ group: MemoryGroup?, at moment: ContinuousClock.Instant) {
        guard let group else { return }
        guard group == before.group else {
            let old = before
            self = MemoryWatch(group, at: moment)
            former = old
            return
        }
        guard counted.duration(to: moment) >= Self.countAge else { return }
        before.counts = last
        last = Counts(group)
        counted = moment
        former = nil
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
        let now = Self.evidence(since: before)
        guard now == .none, let former else { return now }
        return Self.evidence(since: former)
    }

    private static func evidence(since before: Place) -> Evidence {
        if let group = before.group {
            if let own = before.counts.kills.first ?? nil, let now = group.ownKills() {
                return now > own ? .certain(limit: before.limit) : .none
            }
            // The own cgroup is gone. In version 2 those above have counted too.
            for (old, now) in zip(before.counts.kills, group.kills()) {
                if group.mount.isVersion2, let old, let now {
                    return now > old ? .likely(limit: before.limit) : .none
                }
            }
        }
        guard let old = before.counts.machineKills, let now = Counts(nil).machineKills, now > old
        else { return .none }
        return .likely(limit: before.group == nil ? nil : before.limit)
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
