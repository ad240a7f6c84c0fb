import LinajeClient
import LinajeDomain

/// What compaction costs those who write, and what it leaves on the disk.
struct CompactionBench {
    let client: LinajeClient
    let status: DaemonStatus
    let rounds: Int
    /// What a round writes; the curves have about as many points within bounds.
    let points: Int
    let seed: UInt64
    let keep: Bool

    /// Fewer points would say more about pages than about points.
    private static let curvePoints = 100_000...1_000_000
    /// Longer than a round; a bench that is killed leaves no more of it to the daemon.
    private static let pause: UInt64 = 600

    struct Found {
        /// Points a second, in rounds that take turns.
        var without: [Double] = []
        var with: [Double] = []
        /// Points that were packed during the rounds that let compaction run.
        var packed = 0.0
        /// Bytes on the disk for each point of a curve; none where the daemon's files are another
        /// user's.
        var bytesPerPoint: [BenchCurve: Double] = [:]
    }

    /// Lets `write`, which returns points a second, take turns without and with compaction.
    func measureIngest(_ write: () async throws -> Double, _ found: inout Found) async throws {
        try await client.pauseCompaction(seconds: Self.pause)
        do {
            // There must be something to pack from the first moment on.
            _ = try await write()
            for _ in 0..<rounds {
                try await client.pauseCompaction(seconds: 0)
                let before = try await packedPointsOnceItRuns()
                found.with.append(try await write())
                try await client.pauseCompaction(seconds: Self.pause)
                found.packed += try await packedPoints() - before
                found.without.append(try await write())
            }
        } catch {
            try? await client.pauseCompaction(seconds: 0)
            throw error
        }
        try await client.pauseCompaction(seconds: 0)
    }

    /// Stores curves, compacts and tidies, and looks at what the metric database has grown by.
    func measureBytes(_ experiment: ExperimentID, _ found: inout Found) async throws {
        for curve in BenchCurve.allCases {
            let count = min(max(points, Self.curvePoints.lowerBound), Self.curvePoints.upperBound)
            let before = try await tidySize()
            let (run, points) = try await CurveRun.make(
                curve, points: count, seed: seed, client: client, experiment: experiment)
            let after = try await tidySize()
            found.bytesPerPoint[curve] = before.flatMap { before in
                after.map { (Double($0) - Double(before)) / Double(points) }
            }
            try await run.end(keep: keep)
        }
    }

    /// Bytes of the metric database when nothing waits for compaction and no page is unused.
    private func tidySize() async throws -> UInt64? {
        for try await progress in try await client.maintain([.compact, .vacuum, .checkpoint]) {
            if let failure = progress.failure {
                throw LinajeError(.failedPrecondition, "\(progress.task.rawValue): \(failure)")
            }
        }
        return DiskUse.length(ofFile: status.stateDirectory + "/metrics.db")
    }

    /// Waits until compaction is at work: it looks for something to do once a second.
    private func packedPointsOnceItRuns() async throws -> Double {
        let idle = try await packedPoints()
        let deadline = ContinuousClock.now + .seconds(3)
        while ContinuousClock.now < deadline {
            let packed = try await packedPoints()
            if packed > idle { return packed }
            try await Task.sleep(for: .milliseconds(20))
        }
        return idle
    }

    private func packedPoints() async throws -> Double {
        let name = "linaje_compaction_points_total "
        for line in try await client.daemonMetrics().split(separator: "\n")
        where line.hasPrefix(name) { return Double(line.dropFirst(name.count)) ?? 0 }
        return 0
    }
}

extension CompactionBench.Found {
    /// The median of what each round with compaction is to the one after it without.
    private var share: Double? {
        zip(with, without).map { $0 / $1 }.sorted().median
    }

    func describe(_ report: inout BenchReport, gate: Bool) {
        report.fact("paused_points_per_second", without.sorted().median.map { .double($0) })
        report.fact("compacting_points_per_second", with.sorted().median.map { .double($0) })
        report.fact("compacting_share", share.map { .double($0) })
        report.fact("compacted_points", .double(packed))
        if let with = with.sorted().median, let without = without.sorted().median {
            report.line(
                "compacting",
                "\(Rendering.grouped(Int64(with))) points/s, \(Rendering.grouped(Int64(without))) "
                    + "while it pauses; \(Rendering.grouped(Int64(packed))) packed meanwhile")
        }
        for curve in BenchCurve.allCases {
            let bytes = bytesPerPoint[curve]
            report.fact("\(curve.rawValue)_bytes_per_point", bytes.map { .double($0) })
            report.line(
                curve.noun, bytes.map { "\(Rendering.decimal($0, 2)) bytes a point on the disk" })
        }
        guard gate else { return }
        report.check(
            .init(
                name: "compacting_share", noun: "ingest while compacting reaches",
                unit: "of that without", value: packed > 0 ? share : nil, bound: .atLeast(0.8)))
        for (curve, most) in [(BenchCurve.losses, 4), (.system, 2.5)] {
            report.check(
                .init(
                    name: "\(curve.rawValue)_bytes_per_point",
                    noun: "a point of \(curve.noun) takes",
                    unit: "bytes", value: bytesPerPoint[curve], bound: .atMost(most)))
        }
    }
}

extension BenchCurve {
    /// For people.
    fileprivate var noun: String {
        switch self {
        case .losses: "losses"
        case .system: "system metrics"
        }
    }
}

extension [Double] {
    /// The middle one of sorted numbers, or what is between the two in the middle.
    var median: Double? {
        guard !isEmpty else { return nil }
        let middle = count / 2
        return count % 2 == 1 ? self[middle] : (self[middle - 1] + self[middle]) / 2
    }
}
