import LinajeClient
import LinajeDomain

/// A run of a bench that holds a curve.
struct CurveRun {
    let client: LinajeClient
    let run: RunID

    /// Makes the run and its points; returns when they are durable and the run has ended.
    ///
    /// - Parameter points: how many, over all series of the curve, to the next whole step.
    static func make(
        _ curve: BenchCurve, points: Int, seed: UInt64, client: LinajeClient,
        experiment: ExperimentID
    ) async throws -> (run: CurveRun, points: Int) {
        let run = try await client.createRun(
            NewRun(experimentID: experiment, name: "bench-\(curve.rawValue)-\(seed)"))
        let stream = try await client.metricStream(run: run.id)
        let series = try MetricSeriesSet(curve.series)
        var generator = BenchCurve.Generator(curve, seed: seed)
        let steps = (points + curve.series.count - 1) / curve.series.count
        let batch = max(1, batchPoints / curve.series.count)
        for start in stride(from: 0, to: steps, by: batch) {
            let (columns, index) = generator.next(min(batch, steps - start))
            try await stream.send(columns, of: series, index: index)
        }
        try await stream.finish()
        _ = try await client.updateRun(run.id, status: .finished)
        return (CurveRun(client: client, run: run.id), steps * curve.series.count)
    }

    /// Points of a batch: what a stream's first credit holds.
    private static let batchPoints = 8_000

    /// Deletes the run unless it is to be kept.
    func end(keep: Bool) async throws {
        guard !keep else { return }
        _ = try await client.updateRun(run, lifecycle: .deleted)
    }
}
