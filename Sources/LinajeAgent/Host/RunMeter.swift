import Glibc
import LinajeHost

/// What the processes of one run use, from look to look.
struct RunMeter: Sendable {
    /// What is known besides the run's own processes at a look.
    struct Surroundings {
        var table: ProcessTable
        var now: HostReading
        var change: HostChange?
        /// Owners of all runs.
        var owners: Set<Int32>
        /// Runs of the same process, this one included.
        var sharing: Int
        var ticksPerSecond: Double
        var pageBytes: Double
    }

    let owner: ProcessReading.Identity
    /// What the run had from an earlier agent, by metric.
    private let earlier: [String: Double]
    private var known: Set<ProcessReading.Identity> = []
    private var ticks = UsageMeter()
    private var read = UsageMeter()
    private var written = UsageMeter()
    private var cpuSeconds = 0.0
    private var group: OwnControlGroup?
    private var cpuJoules = 0.0
    private var gpuJoules = 0.0
    private var hasGPU = false
    private var first: HostReading?

    private static let prefix = "system/process/"

    init(owner: ProcessReading.Identity, earlier: [String: Double]) {
        self.owner = owner
        self.earlier = earlier
    }

    /// Metrics whose last values a new agent goes on from.
    static let cumulative: Set<String> = [
        "system/process/cpu_seconds", "system/process/io_read_megabytes",
        "system/process/io_written_megabytes", "system/process/cpu_energy_joules",
        "system/process/gpu_energy_joules", "system/network_receive_megabytes",
        "system/network_transmit_megabytes", "system/disk_read_megabytes",
        "system/disk_written_megabytes",
    ]

    /// Takes a look; `nil` when the owner is gone.
    mutating func look(_ around: Surroundings) -> MetricValues? {
        let table = around.table
        guard table.process(owner) != nil else { return nil }
        // The owners of other runs answer for theirs; who has lost its parent is still ours.
        let others = around.owners.subtracting([owner.pid])
        var pids = table.tree(of: owner.pid, without: others)
        for process in known where table.process(process) != nil && !others.contains(process.pid) {
            pids.insert(process.pid)
        }
        let members = pids.compactMap { table.processes[$0] }
        known = Set(members.map(\.identity))
        let everyone = table.tree(of: owner.pid).compactMap { table.processes[$0] }
        let isFirst = first == nil
        let start = first ?? around.now
        first = start
        var out: MetricValues = []
        let seconds = processorSeconds(members, everyone, pids, around, isFirst: isFirst)
        out.append((Self.prefix + "cpu_seconds", cpuSeconds))
        if !isFirst, let change = around.change {
            out.append((Self.prefix + "cpu_utilization_percentage", 100 * seconds / change.seconds))
            if let joules = change.cpuJoules, let busy = change.busySeconds {
                cpuJoules += joules * min(1, busy > 0 ? seconds / busy : 0)
            }
        }
        let pages = members.reduce(0.0) { $0 + Double($1.residentPages) }
        out.append(
            (Self.prefix + "memory_rss_megabytes", pages * around.pageBytes / HostMetrics.megabyte))
        out.append((Self.prefix + "count", Double(members.count)))
        if around.sharing > 1 { out.append((Self.prefix + "sharing_runs", Double(around.sharing))) }
        if let bytes = group?.memoryBytes {
            out.append(
                (Self.prefix + "memory_cgroup_megabytes", Double(bytes) / HostMetrics.megabyte))
        }
        if !around.now.energy.isEmpty { add("process/cpu_energy_joules", cpuJoules, &out) }
        addTransfers(members, everyone, table, &out)
        addGPUs(pids, around, isFirst: isFirst, &out)
        addSinceStart(start, around.now, &out)
        return out
    }

    private func add(_ name: String, _ value: Double, _ out: inout MetricValues) {
        out.append(("system/" + name, value + (earlier["system/" + name] ?? 0)))
    }

    /// Adds the processor time since the last look and returns it, in seconds.
    private mutating func processorSeconds(
        _ members: [ProcessReading], _ everyone: [ProcessReading], _ pids: Set<Int32>,
        _ around: Surroundings, isFirst: Bool
    ) -> Double {
        func counters(_ readings: [ProcessReading]) -> UsageMeter.Counters {
            Dictionary(readings.map { ($0.identity, $0.ticks) }, uniquingKeysWith: { $1 })
        }
        let grown = ticks.look(
            members: counters(members), everyone: counters(everyone), in: around.table)
        var seconds = Double(grown) / around.ticksPerSecond
        let now = around.sharing > 1 ? nil : OwnControlGroup.find(owner: owner.pid, members: pids)
        if let new = now?.cpuMicroseconds, let old = group?.cpuMicroseconds, new >= old,
            now?.folder == group?.folder
        {
            seconds = Double(new - old) / 1e6
        }
        group = now
        if isFirst {
            cpuSeconds = max(seconds, earlier[Self.prefix + "cpu_seconds"] ?? 0)
        } else {
            cpuSeconds += seconds
        }
        return seconds
    }

    private mutating func addTransfers(
        _ members: [ProcessReading], _ everyone: [ProcessReading], _ table: ProcessTable,
        _ out: inout MetricValues
    ) {
        var reads: [ProcessReading.Identity: UInt64] = [:]
        var writes: [ProcessReading.Identity: UInt64] = [:]
        for process in everyone + members where reads[process.identity] == nil {
            guard
                let transfer = HostText.transfer(SmallFile.text("/proc/\(process.pid)/io"))
            else {
                // Not ours to see: a part is no sum.
                if process.identity == owner { return }
                continue
            }
            reads[process.identity] = transfer.read
            writes[process.identity] = transfer.written
        }
        let own = Set(members.map(\.identity))
        read.look(members: reads.filter { own.contains($0.key) }, everyone: reads, in: table)
        written.look(members: writes.filter { own.contains($0.key) }, everyone: writes, in: table)
        // The kernel's counters hold what was before an earlier agent, too.
        for (name, sum) in [("read", read.sum), ("written", written.sum)] {
            let key = Self.prefix + "io_\(name)_megabytes"
            let value = Double(sum) / HostMetrics.megabyte
            out.append((key, max(value, earlier[key] ?? 0)))
        }
    }

    private mutating func addGPUs(
        _ pids: Set<Int32>, _ around: Surroundings, isFirst: Bool, _ out: inout MetricValues
    ) {
        var bytes: UInt64 = 0
        for gpu in around.now.gpus {
            let own = gpu.processes.filter { pids.contains($0.key) }
            guard !own.isEmpty else { continue }
            hasGPU = true
            let held = own.values.reduce(0, &+)
            bytes &+= held
            guard !isFirst, let joules = around.change?.gpuJoules[gpu.index] else { continue }
            let all = gpu.processes.values.reduce(0, &+)
            // By the memory they hold; where the driver does not tell, by heads.
            let share =
                all > 0
                ? Double(held) / Double(all) : Double(own.count) / Double(gpu.processes.count)
            gpuJoules += joules * share
        }
        guard hasGPU else { return }
        out.append((Self.prefix + "gpu_memory_megabytes", Double(bytes) / HostMetrics.megabyte))
        add("process/gpu_energy_joules", gpuJoules, &out)
    }

    /// What the machine has transferred since the run was first seen.
    private func addSinceStart(
        _ start: HostReading, _ now: HostReading, _ out: inout MetricValues
    ) {
        func megabytes(_ new: UInt64, _ old: UInt64) -> Double {
            Double(new >= old ? new - old : 0) / HostMetrics.megabyte
        }
        if let new = now.network, let old = start.network {
            add("network_receive_megabytes", megabytes(new.received, old.received), &out)
            add("network_transmit_megabytes", megabytes(new.sent, old.sent), &out)
        }
        if let new = now.disks, let old = start.disks {
            add("disk_read_megabytes", megabytes(new.read, old.read), &out)
            add("disk_written_megabytes", megabytes(new.written, old.written), &out)
        }
    }
}
