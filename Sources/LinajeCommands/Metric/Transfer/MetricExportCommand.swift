import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric export`
struct MetricExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the points of runs as CSV or JSON lines.",
        discussion: """
            Run by run, series by series, each in the order of step, time and arrival, with the columns \
            run_id, key, step, timestamp (microseconds since 1970 UTC) and value, and with model_id, \
            dataset and dataset_digest where points are about such. Values are exact: "linaje \
            metric import" reads the same points back. A file has its name once it is whole.

            EXAMPLES
              linaje metric export RUN > points.csv
              linaje metric export RUN RUN --key loss --format jsonl -o points.jsonl
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The runs' ids.")
    var runs: [String]
    @Option(name: .customLong("key"), help: "Only this metric; may be given again.")
    var keys: [String] = []
    @Option(help: "csv or jsonl; without it what the file's name says, else csv.")
    var format: PointFormat?
    @Option(name: .shortAndLong, help: "The file; without it standard output.", completion: .file())
    var output: String?

    func run() async throws {
        let client = try await options.connect()
        var ids: [RunID] = []
        for run in runs { ids.append(try await Arguments.run(run, client)) }
        let format = format ?? output.flatMap { PointFormat(fileName: $0) } ?? .csv
        var expected: UInt64 = 0
        var hasSubjects = false
        for id in ids {
            for summary in try await client.summaries(of: id, keys: Set(keys)) {
                expected += summary.count
                hasSubjects = hasSubjects || summary.series.isAboutSomething
            }
        }
        let file = try ExportFile(output)
        var points: UInt64 = 0
        do {
            points = try await export(
                ids, client, PointWriter(format, hasSubjects: hasSubjects), file, of: expected)
            try file.finish()
        } catch {
            file.abandon()
            throw error
        }
        if let output, output != "-" {
            if options.json {
                Output.line(
                    JSONValue.object([
                        ("file", .string(output)), ("runs", .count(ids.count)),
                        ("points", .uint(points)),
                    ]).text)
            } else {
                Output.note("\(Rendering.grouped(points)) points are in \(printable(output))")
            }
        }
    }

    private func export(
        _ ids: [RunID], _ client: LinajeClient, _ writer: PointWriter, _ file: ExportFile,
        of expected: UInt64
    ) async throws -> UInt64 {
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        var drawn = ContinuousClock.now
        var points: UInt64 = 0
        try file.write(writer.header)
        for id in ids {
            let query = MetricQuery(keys: Set(keys))
            for try await chunk in try await client.history(of: id, query) {
                guard writer.canHold(chunk.series) else {
                    throw LinajeError(
                        .unavailable,
                        "run \(id) got its first points about a model or data set while it was "
                            + "exported; export it again")
                }
                try file.write(writer.lines(chunk, of: id))
                points += UInt64(chunk.columns.count)
                if drawn.duration(to: .now) > .milliseconds(200) {
                    drawn = .now
                    bar.draw(
                        "\(Rendering.grouped(points)) of \(Rendering.grouped(expected)) points")
                }
            }
        }
        return points
    }
}

extension MetricSeries {
    /// Whether its values are about a model or a data set.
    var isAboutSomething: Bool {
        modelID != nil || !datasetName.isEmpty || !datasetDigest.isEmpty
    }
}
