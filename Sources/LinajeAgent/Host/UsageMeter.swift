/// Adds up what the processes of one run use, so that the sum never goes down when one of them ends.
///
/// A process that ends hands what it has used to the parent that waits for it. What is seen to grow in
/// a parent is therefore compared with what was last known of its descendants that are gone: only
/// the rest is new. Exact where children are waited for; where nobody waits (SIGCHLD ignored, the
/// parent gone too) what they used after the last look is missed.
package struct UsageMeter: Sendable {
    /// What one process counts, by name of the counter: own and inherited together.
    package typealias Counters = [ProcessReading.Identity: UInt64]

    /// The sum, in the counter's unit.
    package private(set) var sum: UInt64 = 0
    private var last: Counters?
    /// Who was whose parent at the last look, members and all others.
    private var parents: [Int32: ProcessReading.Identity] = [:]

    package init() {}

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - members: the counters of the run's processes.
    ///   - everyone: those of all processes whose end may count for a member: the members and what
    ///     other runs have below them.
    ///   - table: all processes.
    /// - Returns: by how much the sum has grown.
    @discardableResult
    package mutating func look(
        members: Counters, everyone: Counters, in table: ProcessTable
    ) -> UInt64 {
        let before = sum
        if let last {
            let gone = handedOn(last, table)
            for (process, count) in members {
                let known = lastSeen(process)
                let grown = count >= known ? count - known : 0
                let inherited = gone[process] ?? 0
                sum &+= grown >= inherited ? grown - inherited : 0
            }
        } else {
            sum = members.values.reduce(0, &+)
        }
        last = everyone.merging(members) { $1 }
        parents = [:]
        for process in (last ?? [:]).keys {
            if let reading = table.processes[process.pid],
                let parent = table.processes[reading.parent]
            {
                parents[process.pid] = parent.identity
            }
        }
        return sum &- before
    }

    private func lastSeen(_ process: ProcessReading.Identity) -> UInt64 { last?[process] ?? 0 }

    /// What processes that are gone had used when they were last seen, by the nearest ancestor that
    /// is still there.
    private func handedOn(_ last: Counters, _ table: ProcessTable) -> Counters {
        var out: Counters = [:]
        for (process, count) in last where table.process(process) == nil {
            var heir = parents[process.pid]
            var steps = 0
            while let candidate = heir, table.process(candidate) == nil, steps < 1_024 {
                heir = parents[candidate.pid]
                steps += 1
            }
            if let heir { out[heir, default: 0] &+= count }
        }
        return out
    }
}
