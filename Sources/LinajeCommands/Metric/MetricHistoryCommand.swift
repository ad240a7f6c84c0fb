import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric history`
struct MetricHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Print the points of a run.",
        discussion: """
            Each series comes in the order of step, time and arrival; with --json one object a line. \
            With --buckets each series is divided into that many parts of equal width, of which those \
            with points are printed: smallest, largest, first and last value, so that no spike is lost.

            EXAMPLES
              linaje metric history RUN --key loss
              linaje metric history RUN --key loss --first-step 100 --last-step 200 --json
              linaje metric history RUN --key loss --buckets 100 --axis time
            """)

    /// What `--axis` takes.
    enum Axis: String, ExpressibleByArgument, CaseIterable {
        case step, time
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Option(name: .customLong("key"), help: "Only this metric; may be given again.")
    var keys: [String] = []
    @Option(help: "First step wanted.")
    var firstStep: Int64?
    @Option(help: "Last step wanted.")
    var lastStep: Int64?
    @Option(help: "First time wanted, in microseconds since 1970 UTC.")
    var firstTimeUs: Int64?
    @Option(help: "Last time wanted, in microseconds since 1970 UTC.")
    var lastTimeUs: Int64?
    @Option(help: "Print at most this many points.")
    var limit: UInt64 = 0
    @Option(help: "Divide each series into this many buckets.")
    var buckets: Int?
    @Option(help: "What buckets divide: step or time.")
    var axis: Axis = .step

    func validate() throws {
        guard firstStep ?? .min <= lastStep ?? .max else {
            throw ValidationError("--first-step is past --last-step.")
        }
        guard firstTimeUs ?? .min <= lastTimeUs ?? .max else {
            throw ValidationError("--first-time-us is past --last-time-us.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let query = MetricQuery(
            keys: Set(keys), steps: range(firstStep, lastStep),
            times: range(firstTimeUs, lastTimeUs), limit: limit)
        if let buckets {
            let wanted = try MetricBucketQuery(
                query, count: buckets, axis: axis == .time ? .time : .step)
            try await noteUnknown(try await show(client.buckets(of: id, wanted)), id, client)
            return
        }
        var seen: Set<String> = []
        for try await chunk in try await client.history(of: id, query) {
            seen.insert(chunk.series.key)
            chunk.show(json: options.json)
        }
        try await noteUnknown(seen, id, client)
    }

    /// Says which of the metrics that were asked for the run does not have, and which it has.
    private func noteUnknown(
        _ seen: Set<String>, _ id: RunID, _ client: LinajeClient
    ) async throws {
        guard keys.contains(where: { !seen.contains($0) }) else { return }
        let known = Set(try await client.summaries(of: id).map(\.series.key)).sorted()
        let shown = known.prefix(20).map { printable($0) }.joined(separator: ", ")
        for key in keys where !known.contains(key) {
            let meant = NearestName.of(key, among: known).map { "; did you mean \(printable($0))?" }
            Output.flush()
            Output.note(
                "run \(id) has no metric \"\(printable(key))\""
                    + (meant
                        ?? (known.isEmpty
                            ? ", nor any other"
                            : "; it has \(shown)" + (known.count > 20 ? ", …" : "")))
            )
        }
    }

    /// - Returns: the metrics that have points.
    private func show(_ reading: MetricBucketReading) async throws -> Set<String> {
        var seen: Set<String> = []
        var table = TextTable([
            ("metric", .left), ("first step", .right), ("last step", .right), ("points", .right),
            ("min", .right), ("max", .right), ("last", .right),
        ])
        for try await (series, buckets) in reading {
            seen.insert(series.key)
            for bucket in buckets {
                guard !options.json else {
                    print(bucket, of: series)
                    continue
                }
                table.add([
                    series.name, "\(bucket.first.step)", "\(bucket.last.step)",
                    Rendering.grouped(bucket.count), bucket.min.map { Rendering.number($0) } ?? "",
                    bucket.max.map { Rendering.number($0) } ?? "",
                    Rendering.number(bucket.last.value),
                ])
            }
        }
        if !options.json { table.show(options.style, empty: "no points") }
        return seen
    }

    private func print(_ bucket: MetricBucket, of series: MetricSeries) {
        Output.line(
            JSONValue.object(
                [
                    ("key", .string(series.key))
                ] + series.jsonFields + [
                    ("count", .uint(bucket.count)), ("nan_count", .uint(bucket.nanCount)),
                    ("min", bucket.min.map { .double($0) } ?? .null),
                    ("max", bucket.max.map { .double($0) } ?? .null),
                    ("first", bucket.first.json), ("last", bucket.last.json),
                ]
            ).text)
    }

    private func range(_ first: Int64?, _ last: Int64?) -> ClosedRange<Int64>? {
        guard first != nil || last != nil else { return nil }
        return (first ?? .min)...(last ?? .max)
    }
}
