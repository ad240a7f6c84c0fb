import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje metric tail`
struct MetricTailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Follow the points of a run until it ends.",
        discussion: """
            Points appear when they are durable. A reader that is too slow misses some and is told. \
            When the daemon is restarted the command follows the next one, and says so: points of the \
            time between are in the history.

            EXAMPLES
              linaje metric tail RUN
              linaje metric tail RUN --key loss --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String
    @Option(name: .customLong("key"), help: "Only this metric; may be given again.")
    var keys: [String] = []

    func run() async throws {
        let id = try Arguments.run(run)
        let client = try await options.connect()
        while true {
            do {
                return try await follow(id, client)
            } catch let error as LinajeError where error.code == .unavailable {
                // The client waits for the next daemon; this only begins anew.
                Output.note("the daemon is being restarted; points may be missed meanwhile")
            }
        }
    }

    private func follow(_ id: RunID, _ client: LinajeClient) async throws {
        let tail: MetricReading
        do {
            tail = try await client.tail(id, keys: Set(keys))
        } catch let error as LinajeError where error.code == .unavailable {
            // The client's patience is over.
            throw LinajeError(.deadlineExceeded, error.message, details: error.details)
        }
        for try await chunk in tail {
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
