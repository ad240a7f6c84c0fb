import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje bench history`
struct BenchHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Measure how fast the points of a run are read.",
        discussion: """
            Writes one series, as a training in single precision logs its loss, into a run of the \
            experiment "linaje-bench", has it compacted, and reads it over and over: all points, \
            and divided into buckets. The run is deleted afterwards unless --keep is given.

            Each round also carries as many bytes as the points have, 24 each, over a bare Unix \
            socket: what is to be compared with.

            --gate ends with 1 unless the median of all points is at least 10,000,000 points a \
            second, and that of the buckets at most 20 ms.

            EXAMPLES
              linaje bench history
              linaje bench history --points 10000000 --rounds 5 --json
              linaje bench history --gate
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Points of the series.")
    var points = 1_000_000
    @Option(help: "Buckets that it is divided into.")
    var buckets = 1_000
    @Option(help: "How often it is read.")
    var rounds = 20
    @Option(help: "What the points are computed from.")
    var seed: UInt64 = 1
    @Flag(help: "End with 1 unless reading is as fast as it should be.")
    var gate = false
    @Flag(help: "Keep the run.")
    var keep = false

    func validate() throws {
        guard (1...1_000_000_000).contains(points) else {
            throw ValidationError("--points must be 1 to 1000000000.")
        }
        guard (1...Limits.metricBuckets).contains(buckets) else {
            throw ValidationError("--buckets must be 1 to \(Limits.metricBuckets).")
        }
        guard (1...100_000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 100000.")
        }
    }

    private struct Found {
        /// Before compaction, as the points arrived.
        var segments = Latencies()
        var all = Latencies()
        var divided = Latencies()
        var socket = Latencies()
    }

    func run() async throws {
        let client = try await options.connect()
        let status = try await client.status()
        let experiment = try await client.createExperiment("linaje-bench", getExisting: true)
        let (run, count) = try await CurveRun.make(
            .losses, points: points, seed: seed, client: client, experiment: experiment.id)
        let before = DaemonUsage(pid: status.pid)
        var found = Found()
        try await found.segments.measure { try await read(run, count) }
        for try await progress in try await client.maintain([.compact]) {
            if let failure = progress.failure { throw LinajeError(.failedPrecondition, failure) }
        }
        let query = try MetricBucketQuery(MetricQuery(), count: buckets)
        for _ in 0..<rounds {
            try await found.all.measure { try await read(run, count) }
            try await found.divided.measure { try await divide(run, query, count) }
            found.socket.record(try await SocketBaseline.transfer(count * 24))
        }
        try await run.end(keep: keep)
        var report = report(found, count)
        report.usage(before, DaemonUsage(pid: status.pid))
        try report.show(options)
    }

    private func read(_ run: CurveRun, _ count: Int) async throws {
        var points = 0
        for try await chunk in try await run.client.history(of: run.run) {
            points += chunk.columns.count
        }
        try check(points, count)
    }

    private func divide(
        _ run: CurveRun, _ query: MetricBucketQuery, _ count: Int
    ) async throws {
        var points: UInt64 = 0
        for try await part in try await run.client.buckets(of: run.run, query) {
            for bucket in part.buckets { points += bucket.count }
        }
        try check(Int(clamping: points), count)
    }

    private func check(_ found: Int, _ count: Int) throws {
        guard found == count else {
            throw LinajeError(.corrupt, "the run has \(found) of \(count) points")
        }
    }

    private func report(_ found: Found, _ count: Int) -> BenchReport {
        func rate(_ latencies: Latencies) -> Double {
            Double(count) / max(latencies.p50 / .seconds(1), 1e-9)
        }
        func text(_ rate: Double) -> String { "\(Rendering.grouped(Int64(rate))) points/s" }
        var report = BenchReport()
        report.fact("points", .count(count))
        report.line("series", "\(Rendering.grouped(count)) points, read \(rounds) times")
        report.fact("segments_points_per_second", .double(rate(found.segments)))
        report.line("as it came", text(rate(found.segments)))
        report.fact("points_per_second", .double(rate(found.all)))
        report.line("compacted", text(rate(found.all)))
        report.latencies("all", "all points", found.all)
        report.fact("buckets", .count(buckets))
        report.latencies("divided", "\(Rendering.grouped(buckets)) buckets", found.divided)
        report.fact("socket_points_per_second", .double(rate(found.socket)))
        report.fact("socket_share", .double(rate(found.all) / rate(found.socket)))
        report.line(
            "bare socket",
            text(rate(found.socket)) + ", "
                + "\(Rendering.number((rate(found.socket) / rate(found.all) * 10).rounded() / 10)) "
                + "times as many")
        guard gate else { return report }
        report.check(
            .init(
                name: "points_per_second", noun: "all points come at",
                unit: "points/s", value: rate(found.all), bound: .atLeast(10_000_000)))
        report.check(
            .init(
                name: "divided", noun: "\(buckets) buckets take", unit: "ms",
                value: found.divided.p50 / .milliseconds(1), bound: .atMost(20)))
        return report
    }
}
