import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric tail`
struct MetricTailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Follow the points of a run until it ends.",
        discussion: """
            Points appear when they are durable. A reader that is too slow misses some and is told. \
            When the daemon is restarted the command says so, follows the next one and shows the \
            points of the time between, each once; only points with times older than those it has \
            shown last are left to the history.

            EXAMPLES
              linaje metric tail RUN
              linaje metric tail RUN --key loss --last 10 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Option(name: .customLong("key"), help: "Only this metric; may be given again.")
    var keys: [String] = []

    @Option(help: "Print this many points of each series that are there already.")
    var last = 0

    func validate() throws {
        guard (0...Self.mostLast).contains(last) else {
            throw ValidationError("--last must be 0 to \(Self.mostLast).")
        }
    }

    /// Most points of a series that are there already.
    private static let mostLast = 100_000

    func run() async throws {
        let client = try await options.connect()
        let id = try await Arguments.run(run, client)
        var follower = MetricFollower(client: client, run: id, keys: Set(keys), last: last)
        while let chunk = try await follower.next(restarted: {
            Output.note("the daemon is being restarted; what comes meanwhile follows")
        }) {
            if chunk.missed > 0 {
                Output.note("\(Rendering.grouped(chunk.missed)) points were missed")
            }
            chunk.show(json: options.json)
            Output.flush()
        }
    }
}

extension MetricChunk {
    /// One line for each point.
    func show(json: Bool) {
        for index in 0..<columns.count {
            let point = columns[index]
            let time = Timestamp(microseconds: point.time)
            if json {
                Output.line(
                    JSONValue.object(
                        [("key", .string(series.key)), ("step", .int(point.step))]
                            + JSONValue.time("time", time) + [("value", .double(point.value))]
                            + series.jsonFields
                    ).text)
            } else {
                Output.line(
                    "\(Rendering.time(time))  \(printable(series.name))  \(point.step)  "
                        + Rendering.exact(point.value))
            }
        }
    }
}

extension MetricSeries {
    /// The key and what the values are about, for people.
    var name: String {
        var out = key
        if let modelID { out += " of \(modelID)" }
        if !datasetName.isEmpty { out += " on \(datasetName)" }
        return out
    }

    /// What the values are about.
    var jsonFields: [(String, JSONValue)] {
        [
            ("model_id", .optional(modelID.map { "\($0)" })),
            ("dataset", .optional(datasetName.isEmpty ? nil : datasetName)),
            ("dataset_digest", .optional(datasetDigest.isEmpty ? nil : datasetDigest)),
        ]
    }
}
