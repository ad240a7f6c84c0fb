import LinajeClient
import LinajeDomain

/// One of the writers of a bench: a connection, a run and a metric stream of its own.
struct BenchAgent: Sendable {
    let number: Int
    let client: LinajeClient
    let run: RunID
    let stream: MetricStream
    let points: BenchPoints
    /// How many points it writes, and how many at once.
    let count: Int
    let batch: Int

    static func start(
        _ number: Int, _ options: GlobalOptions, experiment: ExperimentID, seed: UInt64,
        count: Int, batch: Int, reconnects: Bool
    ) async throws -> BenchAgent {
        let client = try await options.connect(patience: reconnects ? .seconds(60) : .zero)
        let run = try await client.createRun(
            NewRun(experimentID: experiment, name: "bench-\(seed)-\(number)"))
        let stream = try await client.metricStream(run: run.id, reconnects: reconnects)
        return BenchAgent(
            number: number, client: client, run: run.id, stream: stream,
            points: BenchPoints(seed: seed, agent: number), count: count, batch: batch)
    }

    /// Batches it sends.
    var batches: Int { (count + batch - 1) / batch }

    /// Points that are durable.
    var acked: Int { min(count, Int(min(stream.durableThrough, UInt64(batches))) * batch) }

    /// Sends all points and waits until they are durable. `onAck` is called whenever more are.
    func write(onAck: (@Sendable (BenchAgent) -> Void)?) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let onAck { group.addTask { try await self.watch(onAck) } }
            let series = try MetricSeriesSet([BenchPoints.series])
            for start in stride(from: 0, to: count, by: batch) {
                try await stream.send(
                    points.columns(start..<min(start + batch, count)), of: series)
            }
            try await stream.finish()
            while try await group.next() != nil {}
        }
    }

    private func watch(_ onAck: @Sendable (BenchAgent) -> Void) async throws {
        var known: UInt64 = 0
        while known < UInt64(batches) {
            try await stream.durable(through: known + 1)
            known = stream.durableThrough
            onAck(self)
        }
    }

    /// Reads all points back and compares each with what was written.
    ///
    /// - Parameter reconnects: whether to begin again when the connection breaks.
    /// - Throws: `corrupt` naming the first point that is missing, different or too many.
    func verify(reconnects: Bool) async throws {
        let deadline = ContinuousClock.now + client.configuration.patience
        while true {
            do {
                return try await compare()
            } catch let error as LinajeError {
                guard reconnects, error.isRetryable, ContinuousClock.now < deadline else {
                    throw error
                }
            }
        }
    }

    private func compare() async throws {
        var next = 0
        for try await chunk in try await client.history(of: run) {
            guard chunk.series == BenchPoints.series else {
                throw LinajeError(.corrupt, "run \(run) has points of \"\(chunk.series.key)\"")
            }
            for index in 0..<chunk.columns.count {
                let (found, written) = (chunk.columns[index], points.point(next))
                guard found == written, next < count else {
                    throw LinajeError(
                        .corrupt, "run \(run) has \(found) where point \(next) is \(written)")
                }
                next += 1
            }
        }
        guard next == count else {
            throw LinajeError(.corrupt, "run \(run) has \(next) of \(count) points")
        }
    }

    /// Ends the run and, unless it is kept, deletes it.
    func end(keep: Bool) async throws {
        _ = try await client.updateRun(
            run, status: .finished, lifecycle: keep ? nil : .deleted)
        await client.close()
    }
}
