import LinajeClient
import LinajeDomain
import Synchronization

/// Makes the runs of a plan, many at once. Unary calls of one connection are done one after the
/// other, so there are several connections, and on each several runs whose calls wait in line.
struct RunFiller: Sendable {
    let plan: FillPlan
    let experiments: [ExperimentID]
    let progress: FillProgress

    /// Makes all runs; returns when all of it is durable.
    func fill(_ options: GlobalOptions, connections: Int, inFlight: Int) async throws {
        var clients: [LinajeClient] = []
        for _ in 0..<min(connections, plan.runs) { clients.append(try await options.connect()) }
        defer { progress.clear() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients {
                for _ in 0..<inFlight { group.addTask { try await makeRuns(client) } }
            }
            while try await group.next() != nil {}
        }
        for client in clients { await client.close() }
    }

    private func makeRuns(_ client: LinajeClient) async throws {
        while let index = progress.next() {
            try Task.checkCancellation()
            let run = plan.run(index)
            let experiment = experiments[index % experiments.count]
            let points = try await make(run, in: experiment, client)
            progress.made(points: points)
        }
    }

    /// Makes one run; the points that were not there already, `nil` when nothing was missing.
    private func make(
        _ run: FillRun, in experiment: ExperimentID, _ client: LinajeClient
    ) async throws -> Int? {
        let found = try await client.createRun(run.new(in: experiment))
        // It ended in an earlier fill, after its last point.
        if found.status.isTerminal { return nil }
        let points = try await sendPoints(run, client)
        guard run.status.isTerminal else { return run.batches > 0 && points == 0 ? nil : points }
        _ = try await client.updateRun(run.id, status: run.status, endedAt: run.endedAt)
        return points
    }

    private func sendPoints(_ run: FillRun, _ client: LinajeClient) async throws -> Int {
        guard run.batches > 0 else { return 0 }
        let series = try MetricSeriesSet(run.keys.map { MetricSeries(key: $0) })
        let stream = try await client.metricStream(run: run.id, writer: run.writer)
        var sent = 0
        // A batch of the plan is one of the writer: what an earlier fill has sent is there.
        let known = Int(min(stream.durableThrough, UInt64(run.batches)))
        for number in known..<run.batches {
            let (columns, index) = run.points(run.steps(ofBatch: number))
            try await stream.send(
                columns, of: series, index: series.series.count == 1 ? [] : index)
            sent += columns.count
        }
        try await stream.finish()
        return sent
    }
}

/// How far a fill is, and what it shows of that on a terminal.
final class FillProgress: Sendable {
    struct Found: Sendable {
        /// Runs that were looked at, and those of them that were not complete.
        var done = 0
        var made = 0
        var points = 0
    }

    private struct State {
        var next = 0
        var found = Found()
        var lastDrawn = ContinuousClock.now
    }

    private let runs: Int
    private let start = ContinuousClock.now
    private let bar: StepBar
    private let state = Mutex(State())

    init(_ runs: Int, isQuiet: Bool) {
        self.runs = runs
        bar = StepBar(isQuiet: isQuiet)
    }

    var found: Found { state.withLock { $0.found } }

    /// The number of a run that nobody has begun; `nil` when there is none left.
    func next() -> Int? {
        state.withLock { state in
            guard state.next < runs else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    /// Counts a run; `nil`: it was complete.
    func made(points: Int?) {
        let due: Found? = state.withLock { state in
            state.found.done += 1
            if let points {
                state.found.made += 1
                state.found.points += points
            }
            let now = ContinuousClock.now
            guard now - state.lastDrawn >= .milliseconds(200) else { return nil }
            state.lastDrawn = now
            return state.found
        }
        guard let due else { return }
        let width = 24
        let full = due.done * width / runs
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        bar.draw(
            "fill [\(String(repeating: "#", count: full))"
                + "\(String(repeating: "-", count: width - full))] \(due.done * 100 / runs) %  "
                + "\(Rendering.grouped(due.done)) of \(Rendering.grouped(runs)) runs, "
                + "\(Rendering.grouped(Int64(Double(due.done) / seconds))) runs/s")
    }

    func clear() { bar.clear() }
}
