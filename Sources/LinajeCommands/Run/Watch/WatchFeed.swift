import LinajeClient
import LinajeDomain

/// Finds out what there is to know of a run, until it has ended: the run itself, its points, its log.
/// Goes on over restarts of the daemon.
struct WatchFeed: Sendable {
    let client: LinajeClient
    let run: RunID
    /// Told what becomes known, from several tasks.
    let report: @Sendable (WatchNews) -> Void

    private static let runInterval = Duration.seconds(1)
    private static let summaryInterval = Duration.seconds(5)
    /// Values that the shape of a series begins with.
    private static let shapeBuckets = 120
    private static let logLines: UInt64 = 20

    /// Everything that is known at once.
    func once() async throws {
        try await readRun()
        try await readHistory()
        try await readSummaries()
        var lines = LogLineAssembler()
        var reader = LogFollower(
            client: client, run: run, start: .last(Self.logLines), streams: [], follows: false)
        while let part = try await reader.next() { report(part, &lines) }
        report(.log(lines.finish()))
    }

    /// Follows the run to its end.
    func follow() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await followRun() }
            group.addTask { try await followPoints() }
            group.addTask { try await followLog() }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.summaryInterval)
                    try? await readSummaries()
                }
            }
            // The last of the four never ends by itself.
            for _ in 0..<3 { try await group.next() }
            group.cancelAll()
        }
        try await readSummaries()
        _ = try await readRun()
    }

    @discardableResult
    private func readRun() async throws -> Run {
        let run = try await client.run(run)
        let experiment = try await client.experiment(id: run.experimentID)
        report(.run(run, experiment: experiment.name))
        return run
    }

    private func readSummaries() async throws {
        report(.summaries(try await client.summaries(of: run)))
    }

    private func readHistory() async throws {
        let query = try MetricBucketQuery(MetricQuery(), count: Self.shapeBuckets)
        for try await (series, buckets) in try await client.buckets(of: run, query) {
            report(.history(series, buckets))
        }
    }

    private func followRun() async throws {
        while true {
            do {
                let run = try await readRun()
                report(.trouble(nil))
                if run.status.isTerminal { return }
            } catch let error as LinajeError where error.isRetryable {
                report(.trouble(error.message))
            }
            try await Task.sleep(for: Self.runInterval)
        }
    }

    private func followPoints() async throws {
        try await readHistory()
        try await readSummaries()
        var follower = MetricFollower(client: client, run: run, keys: [], last: 0)
        while let chunk = try await follower.next(restarted: {
            report(.trouble("the daemon is being restarted"))
        }) {
            report(.points(chunk))
        }
    }

    private func followLog() async throws {
        var lines = LogLineAssembler()
        var reader = LogFollower(
            client: client, run: run, start: .last(Self.logLines), streams: [], follows: true)
        while let part = try await reader.next() { report(part, &lines) }
        report(.log(lines.finish()))
    }

    private func report(_ part: LogPart, _ lines: inout LogLineAssembler) {
        var found: [LogLine] = []
        for record in part.records {
            if case .missing(let count) = record.record.content { report(.missingLog(count)) }
            found += lines.take(record)
        }
        if !found.isEmpty { report(.log(found)) }
    }
}
