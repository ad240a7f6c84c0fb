import LinajeClient
import LinajeDomain
import Synchronization

/// Many clients that each send a small metric batch at a fixed rate, whatever the daemon does: a
/// batch counts from the moment at which it was to be sent, so that a daemon that stalls is not
/// asked less (coordinated omission).
struct GoodClients: Sendable {
    /// What all batches of a round did together.
    private final class Tally: Sendable {
        private let state = Mutex((latencies: Latencies(), failed: 0))

        var found: (latencies: Latencies, failed: Int) { state.withLock { $0 } }

        func count(_ took: Duration, isDurable: Bool) {
            state.withLock { state in
                if isDurable { state.latencies.record(took) } else { state.failed += 1 }
            }
        }
    }

    /// How many clients share a run.
    private static let clientsPerRun = 100
    /// How long after the last batch an acknowledgement may come.
    private static let patience = Duration.seconds(30)

    let connected: WorkerProcess.Answer
    private let clients: [LinajeClient]
    private let name: String

    /// Connects all at once; where the daemon's backlog is full, again.
    static func connect(_ count: Int, _ options: GlobalOptions) async throws -> GoodClients {
        let start = ContinuousClock.now
        let clients = try await withThrowingTaskGroup(of: LinajeClient.self) { group in
            for _ in 0..<count { group.addTask { try await connectOne(options) } }
            var clients: [LinajeClient] = []
            while let client = try await group.next() { clients.append(client) }
            return clients
        }
        let took = ContinuousClock.now - start
        return GoodClients(
            connected: .init(event: "connected", count: count, seconds: took / .seconds(1)),
            clients: clients, name: "bench-connections-\(UInt32.random(in: 0...UInt32.max))")
    }

    private static func connectOne(_ options: GlobalOptions) async throws -> LinajeClient {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await options.connect()
            } catch let error as LinajeError {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(Int.random(in: 5...50)))
            }
        }
    }

    /// Does what is asked until the orders end.
    func obey(rate: Double, points: Int) async throws {
        var streams: [MetricStream] = []
        var runs: [RunID] = []
        while let order = try await BlockingThread.run({ BenchWorkerCommand.order() }) {
            switch order.split(separator: " ").first {
            case "open":
                (streams, runs) = try await open()
                BenchWorkerCommand.say(.init(event: "open", count: streams.count, seconds: 0))
            case "measure":
                let seconds = order.split(separator: " ").last.flatMap { Double($0) } ?? 1
                let answer = try await measure(
                    streams, rate: rate, points: points, seconds: seconds)
                BenchWorkerCommand.say(answer)
            case "close":
                // One that is broken has been counted.
                for stream in streams { _ = try? await stream.finish() }
                for run in runs {
                    _ = try await clients[0].updateRun(
                        run, status: .finished, lifecycle: .deleted)
                }
                BenchWorkerCommand.say(.init(event: "closed", count: streams.count, seconds: 0))
            default: break
            }
        }
    }

    /// A metric stream for each client.
    private func open() async throws -> (streams: [MetricStream], runs: [RunID]) {
        let experiment = try await clients[0].createExperiment("linaje-bench", getExisting: true)
        var streams: [MetricStream] = []
        var runs: [RunID] = []
        for start in stride(from: 0, to: clients.count, by: Self.clientsPerRun) {
            let run = try await clients[start].createRun(
                NewRun(experimentID: experiment.id, name: "\(name)-\(start)")
            ).id
            runs.append(run)
            let part = clients[start..<min(start + Self.clientsPerRun, clients.count)]
            streams += try await withThrowingTaskGroup(of: MetricStream.self) { group in
                for client in part {
                    group.addTask { try await client.metricStream(run: run, reconnects: false) }
                }
                var opened: [MetricStream] = []
                while let stream = try await group.next() { opened.append(stream) }
                return opened
            }
        }
        return (streams, runs)
    }

    /// Sends for a while. Clients take turns, so that batches are spread evenly.
    private func measure(
        _ streams: [MetricStream], rate: Double, points: Int, seconds: Double
    ) async throws -> WorkerProcess.Answer {
        let tally = Tally()
        let series = try MetricSeriesSet([BenchPoints.series])
        let columns = BenchPoints(seed: 1, agent: 0).columns(0..<points)
        let total = Int(seconds * rate * Double(streams.count))
        let interval = Duration.seconds(1) / (rate * Double(max(1, streams.count)))
        let start = ContinuousClock.now
        // Unstructured because it ends what the group below may wait for for ever.
        let impatience = Task {
            try await Task.sleep(for: .seconds(seconds) + Self.patience)
            for stream in streams { stream.abandon() }
        }
        defer { impatience.cancel() }
        await withDiscardingTaskGroup { group in
            for turn in 0..<total {
                let intended = start + interval * turn
                if intended > ContinuousClock.now {
                    try? await Task.sleep(until: intended, clock: .continuous)
                }
                let stream = streams[turn % streams.count]
                group.addTask {
                    let isDurable: Bool
                    do {
                        let number = try await stream.send(columns, of: series)
                        try await stream.durable(through: number)
                        isDurable = true
                    } catch {
                        isDurable = false
                    }
                    tally.count(ContinuousClock.now - intended, isDurable: isDurable)
                }
            }
        }
        let found = tally.found
        return WorkerProcess.Answer(
            event: "measured", count: total,
            seconds: (ContinuousClock.now - start) / .seconds(1), failed: found.failed,
            latencies: found.latencies.recorded.map { [$0.value, $0.count] })
    }
}
