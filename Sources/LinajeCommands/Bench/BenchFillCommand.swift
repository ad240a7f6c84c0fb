import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje bench fill`
struct BenchFillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fill", abstract: "Fill the daemon's store with runs as a team makes them.",
        discussion: """
            Makes runs in the experiments linaje-bench-fill-SEED-0 and following, through the \
            protocol as trainings do: each run is created with its params and tags, its points go \
            through a metric stream, then it ends. Losses fall, accuracies rise; of a hundred runs \
            two diverge to NaN, four were never validated, one has no metrics at all; most are \
            FINISHED, others FAILED, KILLED or RUNNING. The runs stay.

            All of it is computed from the seed: the same command makes the same runs, with the \
            same ids. A fill that was interrupted goes on where it was, and one that is complete \
            adds nothing. Another seed adds other runs.

            EXAMPLES
              linaje bench fill --runs 100000
              linaje bench fill --runs 100 --metrics 4 --points 100000 --seed 7 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Runs in all.")
    var runs = 100_000
    @Option(help: "Metrics of each run.")
    var metrics = 20
    @Option(help: "Params of each run.")
    var params = 10
    @Option(help: "Points of each metric.")
    var points = 10
    @Option(help: "Experiments that the runs are spread over.")
    var experiments = 10
    @Option(help: "What the runs are computed from.")
    var seed: UInt64 = 1
    @Option(help: "Connections to the daemon.")
    var connections = 8
    @Option(help: "Runs under way at once on each connection.")
    var inFlight = 16

    func validate() throws {
        try Self.check("--runs", runs, 1...10_000_000)
        try Self.check("--metrics", metrics, 0...2_000)
        try Self.check("--params", params, 0...1_000)
        try Self.check("--points", points, 1...100_000_000)
        try Self.check("--experiments", experiments, 1...10_000)
        try Self.check("--connections", connections, 1...1_000)
        // A connection has at most 128 streams; a run has one stream or call open at a time.
        try Self.check("--in-flight", inFlight, 1...100)
    }

    private static func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ValidationError("\(name) must be \(range.lowerBound) to \(range.upperBound).")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let status = try await client.status()
        let plan = FillPlan(
            seed: seed, runs: runs, metrics: metrics, params: params, points: points)
        var ids: [ExperimentID] = []
        for number in 0..<experiments {
            ids.append(
                try await client.createExperiment(
                    plan.experimentName(number), getExisting: true
                ).id)
        }
        let before = DaemonUsage(pid: status.pid)
        let diskBefore = DiskUse.bytes(in: status.stateDirectory)
        let start = ContinuousClock.now
        let filler = RunFiller(
            plan: plan, experiments: ids, progress: FillProgress(runs, isQuiet: options.json))
        try await filler.fill(options, connections: connections, inFlight: inFlight)
        let elapsed = ContinuousClock.now - start
        var report = report(filler.progress.found, elapsed)
        report.disk(diskBefore, DiskUse.bytes(in: status.stateDirectory))
        report.usage(before, DaemonUsage(pid: status.pid))
        try report.show(options)
    }

    private func report(_ found: FillProgress.Found, _ elapsed: Duration) -> BenchReport {
        let seconds = max(elapsed / .seconds(1), 1e-9)
        let runsPerSecond = Double(found.made) / seconds
        let pointsPerSecond = Double(found.points) / seconds
        var report = BenchReport()
        report.fact("seed", .uint(seed))
        report.fact("runs", .count(runs))
        report.fact("runs_made", .count(found.made))
        report.fact("points", .count(found.points))
        report.fact("experiments", .count(experiments))
        report.fact("seconds", .double(seconds))
        report.fact("runs_per_second", .double(runsPerSecond))
        report.fact("points_per_second", .double(pointsPerSecond))
        report.line(
            "made",
            "\(Rendering.grouped(found.made)) runs with \(Rendering.grouped(found.points)) points "
                + "in \(experiments) experiments, seed \(seed)")
        let known = runs - found.made
        report.line(
            "known", known > 0 ? "\(Rendering.grouped(known)) runs were there already" : nil)
        report.line("took", Rendering.duration(elapsed) + " until all was durable")
        report.line("runs/s", Rendering.grouped(Int64(runsPerSecond)))
        report.line("points/s", Rendering.grouped(Int64(pointsPerSecond)))
        return report
    }
}

extension BenchReport {
    /// What the daemon's folder takes on the disk, and how much of it came between two moments.
    fileprivate mutating func disk(_ before: ByteCount?, _ after: ByteCount?) {
        fact("disk_bytes", after.map { .uint($0.bytes) })
        let grown = after.flatMap { after in
            before.map { after.bytes - min($0.bytes, after.bytes) }
        }
        fact("disk_bytes_grown", grown.map { .uint($0) })
        line(
            "disk",
            after.map { after in
                "\(after) in all" + (grown.map { ", \(ByteCount($0)) more than before" } ?? "")
            })
    }
}
