import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje bench metrics`
struct BenchMetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Measure how fast metric points become durable.",
        discussion: """
            Each agent has a connection, a writer and a run of its own in the experiment \
            "linaje-bench"; the runs are deleted afterwards unless --keep is given. Points are \
            computed from the seed (proto-spec/vectors/README.md).

            --verify prints what is acknowledged as it is and reads all points back afterwards. \
            When the connection breaks it ends with 75 after printing the last numbers; with \
            --reconnect it goes on.

            --compaction writes as many points again in rounds that take turns without and with \
            compaction in the background, and measures what a point of a training's loss and of a \
            host's samples takes on the disk after it. Needs role admin; it waits until all that \
            is stored is compacted.

            --gate measures the disk and a bare SQLite program in the daemon's state directory \
            first and ends with 1 unless a durable point's p50 is at most 5 times that of 8 KiB \
            pwrite and fdatasync, and batched points a second are at least 40 % of the bare \
            program's; with --compaction also unless the median of the rounds with it is at least \
            80 % of that without, and a point takes at most 4 bytes of losses and 2.5 of samples.

            EXAMPLES
              linaje bench metrics --agents 8 --batch 1000 --points 1000000
              linaje bench metrics --sync --gate --json
              linaje bench metrics --points 5000000 --compaction --gate
              linaje bench metrics --verify --seed 7 --keep --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Writers at the same time.")
    var agents = 8
    @Option(help: "Points in a batch.")
    var batch = 1_000
    @Option(help: "Points in all.")
    var points = 1_000_000
    @Option(help: "What the points are computed from.")
    var seed: UInt64 = 1
    @Flag(help: "Print acknowledgements and read all points back.")
    var verify = false
    @Flag(help: "Also measure single points, each waited for.")
    var sync = false
    @Option(help: "Single points that --sync and --gate measure.")
    var syncRounds = 500
    @Flag(help: "Also measure ingest while compaction runs, and what points take after it.")
    var compaction = false
    @Option(help: "Rounds without and with compaction, each.")
    var rounds = 3
    @Flag(help: "End with 1 unless the daemon is as fast as it should be on this disk.")
    var gate = false
    @Option(
        help: "Where --gate measures the disk; the daemon's state directory if not given.",
        completion: .directory)
    var directory: String?
    @Flag(help: "Keep the runs.")
    var keep = false
    @Flag(help: "Make broken connections anew and go on.")
    var reconnect = false

    func validate() throws {
        guard (1...1_000).contains(agents) else {
            throw ValidationError("--agents must be 1 to 1000.")
        }
        // One series and 24 bytes a point: what a stream's first credit holds.
        guard (1...9_000).contains(batch) else {
            throw ValidationError("--batch must be 1 to 9000.")
        }
        guard (agents...1_000_000_000).contains(points) else {
            throw ValidationError("--points must be \(agents) to 1000000000.")
        }
        guard (1...1_000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 1000.")
        }
        guard (1...1_000_000).contains(syncRounds) else {
            throw ValidationError("--sync-rounds must be 1 to 1000000.")
        }
    }

    /// A durable point may take at most this many times a bare fdatasync.
    private static let syncFactor = 5.0
    /// Batched points must reach this share of a bare SQLite program.
    private static let batchShare = 0.4

    func run() async throws {
        let client = try await options.connect(patience: reconnect ? .seconds(60) : .zero)
        let status = try await client.status()
        let baseline = gate ? try await measureDisk(directory ?? status.stateDirectory) : nil
        let experiment = try await client.createExperiment("linaje-bench", getExisting: true)
        let before = DaemonUsage(pid: status.pid)
        let elapsed = try await measureBatches(experiment.id)
        let after = DaemonUsage(pid: status.pid)
        let singles = sync || gate ? try await measureSingles(client, experiment.id) : nil
        var report = report(elapsed, singles: singles)
        report.usage(before, after)
        compare(elapsed, singles, with: baseline, &report)
        if compaction {
            try await measureCompaction(client, status, experiment.id)
                .describe(&report, gate: gate)
        }
        try report.show(options)
    }

    private func measureCompaction(
        _ client: LinajeClient, _ status: DaemonStatus, _ experiment: ExperimentID
    ) async throws -> CompactionBench.Found {
        let bench = CompactionBench(
            client: client, status: status, rounds: rounds, points: points, seed: seed, keep: keep)
        var found = CompactionBench.Found()
        try await bench.measureIngest(
            { Double(points) / max(try await measureBatches(experiment) / .seconds(1), 1e-9) },
            &found)
        try await bench.measureBytes(experiment, &found)
        return found
    }

    /// What the disk and a bare SQLite program can do.
    private func measureDisk(
        _ directory: String
    ) async throws -> (fdatasync: Latencies, sqlite: Double) {
        let (agents, batch, points) = (agents, batch, points)
        return try await BlockingThread.run {
            (
                try DiskBaseline.fdatasync(in: directory, rounds: 500),
                try DiskBaseline.sqlitePoints(
                    in: directory, agents: agents, batch: batch, points: points)
            )
        }
    }

    private func report(_ elapsed: Duration, singles: Latencies?) -> BenchReport {
        var report = BenchReport()
        let seconds = max(elapsed / .seconds(1), 1e-9)
        let (each, extra) = points.quotientAndRemainder(dividingBy: agents)
        let frames =
            extra * ((each + batch) / batch) + (agents - extra) * ((each + batch - 1) / batch)
        report.fact("agents", .count(agents))
        report.fact("batch", .count(batch))
        report.fact("points", .count(points))
        report.fact("seed", .uint(seed))
        report.line(
            "wrote",
            "\(Rendering.grouped(points)) points by \(agents) agents in batches of \(batch), seed "
                + "\(seed)")
        report.fact("seconds", .double(seconds))
        report.line("took", Rendering.duration(elapsed) + " until all was durable")
        report.fact("points_per_second", .double(Double(points) / seconds))
        report.line("points/s", Rendering.grouped(Int64(Double(points) / seconds)))
        report.fact("frames_per_second", .double(Double(frames) / seconds))
        report.line("frames/s", Rendering.grouped(Int64(Double(frames) / seconds)))
        report.latencies("sync", "one point", singles)
        report.fact("verified", .bool(verify))
        report.line("verified", verify ? "every point is there once" : nil)
        return report
    }

    private func compare(
        _ elapsed: Duration, _ singles: Latencies?,
        with baseline: (fdatasync: Latencies, sqlite: Double)?, _ report: inout BenchReport
    ) {
        report.latencies("fdatasync", "fdatasync", baseline?.fdatasync)
        report.fact("bare_sqlite_points_per_second", baseline.map { .double($0.sqlite) })
        guard let baseline, let singles else { return }
        report.line("bare SQLite", "\(Rendering.grouped(Int64(baseline.sqlite))) points/s")
        let ratio = singles.p50 / baseline.fdatasync.p50
        let share = Double(points) / max(elapsed / .seconds(1), 1e-9) / baseline.sqlite
        report.fact("sync_ratio", .double(ratio))
        report.fact("bare_sqlite_share", .double(share))
        report.check(
            .init(
                name: "sync_ratio", noun: "a durable point takes", unit: "times an fdatasync",
                value: ratio, bound: .atMost(Self.syncFactor)))
        report.check(
            .init(
                name: "bare_sqlite_share", noun: "batches reach", unit: "of bare SQLite",
                value: share, bound: .atLeast(Self.batchShare)))
    }

    /// Lets all agents write; returns how long it took until everything was durable.
    private func measureBatches(_ experiment: ExperimentID) async throws -> Duration {
        let agents = try await startAgents(experiment)
        let onAck: (@Sendable (BenchAgent) -> Void)?
        if verify {
            let json = options.json
            onAck = { Self.say("acked", $0, json: json) }
            for agent in agents { Self.say("started", agent, json: json) }
        } else {
            onAck = nil
        }
        let start = ContinuousClock.now
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for agent in agents { group.addTask { try await agent.write(onAck: onAck) } }
                while try await group.next() != nil {}
            }
        } catch {
            for agent in agents {
                agent.stream.abandon()
                Self.say("broken", agent, json: options.json)
            }
            throw error
        }
        let elapsed = ContinuousClock.now - start
        if verify {
            for agent in agents { try await agent.verify(reconnects: reconnect) }
        }
        for agent in agents { try await agent.end(keep: keep) }
        return elapsed
    }

    private func startAgents(_ experiment: ExperimentID) async throws -> [BenchAgent] {
        var started: [BenchAgent] = []
        for number in 0..<agents {
            let extra = number < points % agents ? 1 : 0
            started.append(
                try await BenchAgent.start(
                    number, options, experiment: experiment, seed: seed,
                    count: points / agents + extra, batch: batch, reconnects: reconnect))
        }
        return started
    }

    /// Measures single points, each waited for until it is durable.
    private func measureSingles(
        _ client: LinajeClient, _ experiment: ExperimentID
    ) async throws -> Latencies {
        let run = try await client.createRun(
            NewRun(experimentID: experiment, name: "bench-\(seed)-sync"))
        let stream = try await client.metricStream(run: run.id, reconnects: reconnect)
        let source = BenchPoints(seed: seed, agent: agents)
        let series = try MetricSeriesSet([BenchPoints.series])
        var latencies = Latencies()
        for index in 0..<syncRounds {
            let columns = source.columns(index..<(index + 1))
            let start = ContinuousClock.now
            let number = try await stream.send(columns, of: series)
            try await stream.durable(through: number)
            latencies.record(ContinuousClock.now - start)
        }
        try await stream.finish()
        _ = try await client.updateRun(
            run.id, status: .finished, lifecycle: keep ? nil : .deleted)
        return latencies
    }

    /// A line about an agent that a crash test can rely on: it is written before anything else
    /// happens.
    private static func say(_ event: String, _ agent: BenchAgent, json: Bool) {
        if json {
            Output.lineNow(
                JSONValue.object([
                    ("event", .string(event)), ("agent", .count(agent.number)),
                    ("run_id", .string("\(agent.run)")), ("acked", .count(agent.acked)),
                    ("points", .count(agent.count)),
                ]).text)
        } else {
            Output.lineNow("\(event) agent \(agent.number) run \(agent.run) \(agent.acked)")
        }
    }
}
