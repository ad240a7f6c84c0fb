import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric summary`
struct MetricSummaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary", abstract: "Show what is known of a run's metrics at once.",
        discussion: """
            EXAMPLES
              linaje metric summary RUN
              linaje metric summary RUN --key loss --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Option(name: .customLong("key"), help: "Only this metric; may be given again.")
    var keys: [String] = []

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        let summaries = try await client.summaries(of: id, keys: Set(keys))
        if options.json { return Output.line(JSONValue.array(summaries.map(\.json)).text) }
        var table = TextTable([
            ("metric", .left), ("points", .right), ("nan", .right), ("min", .right),
            ("max", .right), ("first", .right), ("last", .right), ("last step", .right),
        ])
        for summary in summaries {
            table.add([
                summary.series.name, Rendering.grouped(summary.count),
                Rendering.grouped(summary.nanCount),
                summary.min.map { Rendering.number($0) } ?? "",
                summary.max.map { Rendering.number($0) } ?? "",
                Rendering.number(summary.first.value), Rendering.number(summary.last.value),
                "\(summary.last.step)",
            ])
        }
        table.show(options.style, empty: "no metrics")
    }
}

extension MetricSummary {
    fileprivate var json: JSONValue {
        .object(
            [("key", .string(series.key))] + series.jsonFields + [
                ("count", .uint(count)), ("nan_count", .uint(nanCount)),
                ("min", min.map { .double($0) } ?? .null),
                ("max", max.map { .double($0) } ?? .null), ("first", first.json),
                ("last", last.json),
            ])
    }
}

extension MetricPoint {
    var json: JSONValue {
        .object(
            [("step", .int(step))] + JSONValue.time("time", Timestamp(microseconds: time))
                + [("value", .double(value))])
    }
}
