import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric history`
struct MetricHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Print the points of a run.",
        discussion: """
            Each series comes in the order of step, time and arrival; with --json one object a line.

            EXAMPLES
              linaje metric history RUN --key loss
              linaje metric history RUN --key loss --first-step 100 --last-step 200 --json
            """)

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

    func validate() throws {
        guard firstStep ?? .min <= lastStep ?? .max else {
            throw ValidationError("--first-step is past --last-step.")
        }
        guard firstTimeUs ?? .min <= lastTimeUs ?? .max else {
            throw ValidationError("--first-time-us is past --last-time-us.")
        }
    }

    func run() async throws {
        let id = try Arguments.run(run)
        let client = try await options.connect()
        let query = MetricQuery(
            keys: Set(keys), steps: range(firstStep, lastStep),
            times: range(firstTimeUs, lastTimeUs), limit: limit)
        for try await chunk in try await client.history(of: id, query) {
            chunk.show(json: options.json)
        }
    }

    private func range(_ first: Int64?, _ last: Int64?) -> ClosedRange<Int64>? {
        guard first != nil || last != nil else { return nil }
        return (first ?? .min)...(last ?? .max)
    }
}
