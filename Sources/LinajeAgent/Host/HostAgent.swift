package import LinajeClient
package import LinajeDomain

/// What the host agent tells of its work.
package enum HostEvent: Sendable {
    /// It has begun to measure a run; `step` is the first that it writes.
    case measuring(RunID, pid: Int32, step: Int64)
    /// A run is not measured any more.
    case released(RunID)
    /// Samples cannot be written into a run.
    case failed(RunID, LinajeError)
    case unreachable(String)
    case reachable
    /// So many samples were given up while the daemon was away.
    case dropped(Int)
}

/// Measures the machine for its runs: looks which are RUNNING with a process of this machine as
/// their owner, samples, and writes into each what the machine and its own processes do.
package struct HostAgent: Sendable {
    /// What is known of the runs.
    private struct Runs: Sendable {
        var measured: [MeasuredRun] = []
        var steps: [RunID: Int64] = [:]
        /// Runs that are not measured, since the daemon cannot say what an earlier agent wrote.
        var unreadable: Set<RunID> = []
        var isAway = false
    }

    private let interval: Duration
    /// Asks and does not wait: a daemon that is away must not hold samples up.
    private let asking: LinajeClient
    private let outbox: SampleOutbox
    private let stop: StopSignal
    private let tell: @Sendable (HostEvent) -> Void

    /// - Parameters:
    ///   - asking: a client without patience.
    ///   - sending: a client of its own for the samples.
    package init(
        interval: Duration, asking: LinajeClient, sending: LinajeClient, stop: StopSignal,
        tell: @escaping @Sendable (HostEvent) -> Void
    ) {
        self.interval = interval
        self.asking = asking
        outbox = SampleOutbox(sending)
        self.stop = stop
        self.tell = tell
    }

    /// Runs until it is stopped; what was sampled is then sent.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            var sampler = await Self.makeSampler()
            var runs = Runs()
            var dropped = 0
            var next = ContinuousClock.now
            while !stop.isRequested {
                await findRuns(&runs, &sampler)
                let (old, measured) = (sampler, runs.measured)
                let taken = try? await BlockingCalls.run {
                    var sampler = old
                    let samples = sampler.sample(measured)
                    return (sampler, samples)
                }
                if let (grown, samples) = taken {
                    sampler = grown
                    for (run, values) in samples.values {
                        let step = runs.steps[run, default: 0]
                        runs.steps[run] = step + 1
                        await outbox.add(
                            RunSample(step: step, time: samples.time, values: values), to: run)
                    }
                }
                for run in await outbox.idle { group.addTask { await deliver(run) } }
                let now = await outbox.dropped
                if now > dropped { tell(.dropped(now - dropped)) }
                dropped = now
                next = max(next + interval, .now)
                await stop.pause(for: ContinuousClock.now.duration(to: next))
            }
            for run in await outbox.idle { group.addTask { await deliver(run) } }
        }
    }

    /// Loading a driver's library may take its time.
    private static func makeSampler() async -> HostSampler {
        guard let sampler = try? await BlockingCalls.run({ HostSampler() }) else {
            return HostSampler()
        }
        return sampler
    }

    private func deliver(_ run: RunID) async {
        do {
            try await outbox.deliver(run)
        } catch let error as LinajeError where !error.isRetryable {
            tell(.failed(run, error))
        } catch {
            // Kept; the next interval sends it. That the daemon is away is told by who asks.
        }
    }

    /// Looks which runs are to be measured. While the daemon is away those that were known are.
    private func findRuns(_ runs: inout Runs, _ sampler: inout HostSampler) async {
        do {
            let running = try await asking.all(most: Self.mostRuns) {
                try await asking.runs(statuses: [.running], page: $0)
            }
            var measured = Array(
                running.lazy.compactMap { MeasuredRun($0) }.prefix(AgentLimits.measuredRuns))
            var unreadable: Set<RunID> = []
            for run in sampler.unknown(measured) {
                guard let (step, earlier) = try await earlierIfReadable(run.run, runs) else {
                    unreadable.insert(run.run)
                    continue
                }
                runs.steps[run.run] = max(runs.steps[run.run] ?? 0, step)
                sampler.begin(run, earlier: earlier)
                tell(.measuring(run.run, pid: run.owner.pid, step: step))
            }
            runs.unreadable = unreadable
            measured.removeAll { unreadable.contains($0.run) }
            let ids = Set(measured.map(\.run))
            for old in runs.measured where !ids.contains(old.run) {
                runs.steps[old.run] = nil
                tell(.released(old.run))
            }
            runs.measured = measured
            await outbox.close(without: ids)
            if runs.isAway { tell(.reachable) }
            runs.isAway = false
        } catch {
            if !runs.isAway { tell(.unreachable(LinajeError.of(error).message)) }
            runs.isAway = true
        }
    }

    /// Most runs that are looked through for those of this machine.
    private static let mostRuns = 20_000

    /// As `earlier`; `nil` for a run of which the daemon cannot say it, as when bytes of its points are
    /// damaged: that is told once, and must not keep other runs from being measured.
    private func earlierIfReadable(
        _ run: RunID, _ runs: Runs
    ) async throws -> (step: Int64, values: [String: Double])? {
        do {
            return try await earlier(run)
        } catch let error as LinajeError where !error.isRetryable {
            if !runs.unreadable.contains(run) { tell(.failed(run, error)) }
            return nil
        }
    }

    /// The next step of a run, and the last values of what is added up, from an earlier agent.
    private func earlier(_ run: RunID) async throws -> (step: Int64, values: [String: Double]) {
        let keys = RunMeter.cumulative.union(["system/process/count"])
        var step: Int64 = 0
        var values: [String: Double] = [:]
        for summary in try await asking.summaries(of: run, keys: keys) {
            if summary.last.step >= step, summary.last.step < .max { step = summary.last.step + 1 }
            if summary.last.value.isFinite { values[summary.series.key] = summary.last.value }
        }
        return (step, values)
    }
}
