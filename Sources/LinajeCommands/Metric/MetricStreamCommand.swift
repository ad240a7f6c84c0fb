import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric stream`
struct MetricStreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream", abstract: "Stream measurements from standard input into a run.",
        discussion: """
            Each line is a JSON object or KEY=VALUE words:

              {"key": "loss", "value": 0.5, "step": 3, "time_us": 1700000000000000}
              {"loss": 0.5, "accuracy": 0.9, "step": 3}
              loss=0.5 accuracy=0.9 step=3

            A point without "step" has the one after the metric's last, from 0; without "time_us" the \
            time is now. NaN, Infinity and -Infinity are values. A line that is none of these is \
            reported on standard error and passed over, so that a program's other output does no \
            harm. The command ends when all is on the daemon's disk; a connection that breaks is made anew and nothing is stored twice.

            EXAMPLES
              python train.py | linaje metric stream RUN
              seq 10 | linaje metric stream RUN --key count
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Option(help: "The metric of lines that are only a number.")
    var key: String?
    @Option(help: "Most points sent at once.")
    var batch = 1_000
    @Flag(help: "End at the first line that is no measurement.")
    var strict = false
    @Flag(help: "The points were recorded before the run ended.")
    var replay = false

    func validate() throws {
        guard (1...Limits.batchPoints).contains(batch) else {
            throw ValidationError("--batch must be 1 to \(Limits.batchPoints).")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let stream = try await client.metricStream(run: id, replay: replay)
        var pending = PendingPoints()
        var splitter = LineSplitter()
        let input = StandardInput()
        var number = 0
        var passedOver = 0
        do {
            while let bytes = try await input.next() {
                for line in try splitter.take(bytes) {
                    number += 1
                    passedOver += try await add(line, number, &pending, stream) ? 0 : 1
                }
                // What has arrived is sent, so that others see it now and not with the next batch.
                try await pending.send(to: stream)
            }
            passedOver +=
                try await add(splitter.finish()[...], number + 1, &pending, stream) ? 0 : 1
            try await pending.send(to: stream)
        } catch {
            // What came before the bad line is kept.
            try? await pending.send(to: stream)
            _ = try? await stream.finish()
            throw error
        }
        let durable = try await stream.finish()
        if options.json {
            Output.line(
                JSONValue.object([
                    ("run_id", .string("\(id)")), ("points", .count(pending.sent)),
                    ("batches", .uint(durable)), ("passed_over", .count(passedOver)),
                    ("writer_id", .string("\(stream.writer)")),
                ]).text)
        } else {
            let rest = passedOver == 0 ? "" : ", \(Rendering.grouped(passedOver)) lines passed over"
            Output.note("\(Rendering.grouped(pending.sent)) points are durable\(rest)")
        }
    }

    /// Takes a line in; says whether it was a measurement, or empty.
    private func add(
        _ line: ArraySlice<UInt8>, _ number: Int, _ pending: inout PendingPoints,
        _ stream: MetricStream
    ) async throws -> Bool {
        do {
            guard let parsed = try MetricLine(parsing: line, key: key) else { return true }
            pending.add(parsed, now: SystemClock().now())
        } catch let error as LinajeError {
            let message = "line \(number): \(error.message)"
            guard !strict else { throw LinajeError(error.code, message) }
            Output.note(message)
            return false
        }
        if pending.count >= batch { try await pending.send(to: stream) }
        return true
    }
}

/// Points that wait to be sent together.
struct PendingPoints {
    /// Points sent so far.
    private(set) var sent = 0
    private var places: [String: UInt32] = [:]
    private var series: [MetricSeries] = []
    private var index: [UInt32] = []
    private var columns = MetricColumns()
    /// The step of the next point of each metric that comes without one.
    private var nextSteps: [String: Int64] = [:]

    var count: Int { columns.count }

    mutating func add(_ line: MetricLine, now: Timestamp) {
        for (key, value) in line.values {
            let step = line.step ?? nextSteps[key, default: 0]
            nextSteps[key] = step &+ 1
            let place: UInt32
            if let known = places[key] {
                place = known
            } else {
                place = UInt32(series.count)
                places[key] = place
                series.append(MetricSeries(key: key))
            }
            index.append(place)
            columns.append(
                MetricPoint(step: step, time: line.time ?? now.microseconds, value: value))
        }
    }

    mutating func send(to stream: MetricStream) async throws {
        guard count > 0 else { return }
        let set = try MetricSeriesSet(series)
        try await stream.send(columns, of: set, index: series.count == 1 ? [] : index)
        sent += count
        places.removeAll(keepingCapacity: true)
        series.removeAll(keepingCapacity: true)
        index.removeAll(keepingCapacity: true)
        columns = MetricColumns()
    }
}
