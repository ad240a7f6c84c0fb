import LinajeClient
import LinajeDomain

/// Samples of one moment of one run, with the step they have.
struct RunSample: Sendable {
    var step: Int64
    var time: Int64
    var values: MetricValues

    /// About how much memory it takes.
    var bytes: Int { 96 + values.count * 72 }
}

/// Samples that wait for the daemon, and how they get there: exactly once while the agent lives, the
/// oldest given up when there are more than memory is granted for.
actor SampleOutbox {
    private struct Lane {
        var waiting: [RunSample] = []
        /// What was sent last and is not known to be durable, with its number.
        var sent: (number: UInt64, samples: [RunSample])?
        let writer = WriterID.random()
        var isBusy = false
        var dropped = 0
        var isClosed = false
    }

    private let client: LinajeClient
    private let limit: Int
    private var lanes: [RunID: Lane] = [:]
    private var bytes = 0
    /// Samples that were given up, over all runs.
    private(set) var dropped = 0

    init(_ client: LinajeClient, limit: Int = AgentLimits.waitingBytes) {
        self.client = client
        self.limit = limit
    }

    /// Samples that wait.
    var waiting: Int { lanes.values.reduce(0) { $0 + $1.waiting.count } }

    /// Keeps a sample; gives up the oldest of the longest queue for it where there is no room.
    func add(_ sample: RunSample, to run: RunID) {
        lanes[run, default: Lane()].waiting.append(sample)
        bytes += sample.bytes
        while bytes > limit,
            let longest = lanes.max(by: { $0.value.waiting.count < $1.value.waiting.count })?.key,
            let oldest = lanes[longest]?.waiting.first
        {
            lanes[longest]?.waiting.removeFirst()
            lanes[longest]?.dropped += 1
            dropped += 1
            bytes -= oldest.bytes
        }
    }

    /// The run is not measured any more: its lane goes when it is empty.
    func close(without measured: Set<RunID>) {
        for run in lanes.keys where !measured.contains(run) {
            lanes[run]?.isClosed = true
            forgetEmpty(run)
        }
    }

    /// Runs for which something waits and nobody sends.
    var idle: [RunID] {
        lanes.filter { !$0.value.isBusy && (!$0.value.waiting.isEmpty || $0.value.sent != nil) }
            .map(\.key)
    }

    /// Brings what waits for a run to the daemon.
    ///
    /// - Throws: why it could not be; it is kept and sent by the next call, unless the error says that
    ///   the run takes none any more.
    func deliver(_ run: RunID) async throws {
        guard let lane = lanes[run], !lane.isBusy else { return }
        lanes[run]?.isBusy = true
        defer {
            lanes[run]?.isBusy = false
            forgetEmpty(run)
        }
        do {
            // The samples are of the run's processes, but no word of its owner; and the last of them
            // may come when the run has ended.
            let stream = try await client.metricStream(
                run: run, writer: lane.writer, replay: true)
            defer { stream.abandon() }
            // What was on its way when the last stream broke either arrived or did not.
            if let sent = lanes[run]?.sent {
                if stream.lastNumber < sent.number {
                    let number = try await send(sent.samples, stream, run)
                    try await stream.durable(through: number)
                }
                lanes[run]?.sent = nil
            }
            while let next = take(run) {
                lanes[run]?.sent = (stream.lastNumber + 1, next)
                let number = try await send(next, stream, run)
                try await stream.durable(through: number)
                lanes[run]?.sent = nil
            }
            try await stream.finish()
        } catch let error as LinajeError where !error.isRetryable {
            // Deleted, or not ours to write: nothing will change that.
            bytes -= lanes[run]?.waiting.reduce(0) { $0 + $1.bytes } ?? 0
            lanes[run]?.waiting = []
            lanes[run]?.sent = nil
            throw error
        }
    }

    private func take(_ run: RunID) -> [RunSample]? {
        guard let waiting = lanes[run]?.waiting, !waiting.isEmpty else { return nil }
        // As many as surely make one batch, or its number would not tell what is durable.
        var points = 0
        let next = Array(
            waiting.prefix(AgentLimits.samplesPerBatch).prefix { sample in
                points += sample.values.count + 1
                return points <= AgentLimits.samplePointsPerBatch
            })
        guard !next.isEmpty else {
            lanes[run]?.waiting.removeFirst()
            return take(run)
        }
        lanes[run]?.waiting.removeFirst(next.count)
        bytes -= next.reduce(0) { $0 + $1.bytes }
        return next
    }

    @discardableResult
    private func send(
        _ samples: [RunSample], _ stream: MetricStream, _ run: RunID
    ) async throws -> UInt64 {
        var places: [String: UInt32] = [:]
        var series: [MetricSeries] = []
        var index: [UInt32] = []
        var columns = MetricColumns()
        let dropped = Double(lanes[run]?.dropped ?? 0)
        for sample in samples {
            var values = sample.values
            if dropped > 0 { values.append(("system/agent_samples_dropped", dropped)) }
            for (key, value) in values {
                let place = places[key] ?? UInt32(series.count)
                if places.updateValue(place, forKey: key) == nil {
                    series.append(MetricSeries(key: key))
                }
                index.append(place)
                columns.append(MetricPoint(step: sample.step, time: sample.time, value: value))
            }
        }
        return try await stream.send(
            columns, of: MetricSeriesSet(series), index: series.count == 1 ? [] : index)
    }

    private func forgetEmpty(_ run: RunID) {
        guard let lane = lanes[run], lane.isClosed, !lane.isBusy, lane.waiting.isEmpty,
            lane.sent == nil
        else { return }
        lanes[run] = nil
    }
}
