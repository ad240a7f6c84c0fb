import Glibc
package import LinajeDomain
import LinajeHost

/// The owner of a run whose processes are measured.
package struct MeasuredRun: Sendable, Hashable {
    package var run: RunID
    package var owner: ProcessReading.Identity

    /// The run when its owner is a process of this machine and boot that can be told for certain.
    package init?(_ run: Run) {
        guard case .process(let pid, let start, let boot, _) = run.lease, pid > 0, start > 0,
            boot.isEmpty || boot == ProcessIdentity.boot,
            !run.tags.contains(where: { $0.key == Self.optOut && $0.value == "false" })
        else { return nil }
        self.run = run.id
        owner = ProcessReading.Identity(pid: pid, start: start)
    }

    /// The tag of a run that wants no such metrics.
    private static let optOut = "linaje.system_metrics"
}

/// Samples the machine and the processes of runs. Its calls may block.
struct HostSampler: Sendable {
    private let gpus: GPULibrary?
    private let ticksPerSecond: Double
    private let pageBytes: Double
    private var last: HostReading?
    private var meters: [RunID: RunMeter] = [:]

    init() {
        gpus = GPULibrary()
        ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        pageBytes = Double(max(1, sysconf(Int32(_SC_PAGESIZE))))
    }

    /// Whether there is a library for NVIDIA's GPUs.
    var hasGPUs: Bool { gpus != nil }

    /// Runs that are not measured yet.
    func unknown(_ runs: [MeasuredRun]) -> [MeasuredRun] {
        runs.filter { meters[$0.run]?.owner != $0.owner }
    }

    /// Begins to measure a run.
    ///
    /// - Parameter earlier: last values of `RunMeter.cumulative` that the run has already.
    mutating func begin(_ run: MeasuredRun, earlier: [String: Double]) {
        meters[run.run] = RunMeter(owner: run.owner, earlier: earlier)
    }

    /// Takes a sample of each run that is measured; others are forgotten.
    mutating func sample(_ runs: [MeasuredRun]) -> (time: Int64, values: [RunID: MetricValues]) {
        let wanted = Set(runs.map(\.run))
        meters = meters.filter { wanted.contains($0.key) }
        // Without runs nothing is worth a look, and the next one has nothing to compare with.
        guard !meters.isEmpty else {
            last = nil
            return (SystemClock().now().microseconds, [:])
        }
        let now = HostReading.take(gpus)
        let change = last.map { HostChange(now, after: $0, ticksPerSecond: ticksPerSecond) }
        let machine = HostMetrics.values(now, after: last)
        last = now
        let owners = Dictionary(grouping: runs, by: \.owner.pid)
        var around = RunMeter.Surroundings(
            table: ProcessTable.read(), now: now, change: change, owners: Set(owners.keys),
            sharing: 1, ticksPerSecond: ticksPerSecond, pageBytes: pageBytes)
        var out: [RunID: MetricValues] = [:]
        for run in runs {
            around.sharing = owners[run.owner.pid]?.count ?? 1
            guard let own = meters[run.run]?.look(around) else { continue }
            out[run.run] = HostMetrics.rounded(machine + own)
        }
        // Digits beyond a millisecond would be noise, and most of what a point costs on the disk.
        return (now.time / 1_000 * 1_000, out)
    }
}
