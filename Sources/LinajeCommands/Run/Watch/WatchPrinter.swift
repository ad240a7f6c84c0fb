import LinajeClient
import LinajeDomain
import Synchronization

/// Prints what becomes known of a run, a line for each change, where nobody looks at a screen.
final class WatchPrinter: Sendable {
    private struct State {
        var status: RunStatus?
        var trouble: String?
    }

    private let isJSON: Bool
    private let state = Mutex(State())

    init(isJSON: Bool) { self.isJSON = isJSON }

    func show(_ news: WatchNews) {
        switch news {
        case .run(let run, _): show(run)
        case .points(let chunk):
            if chunk.missed > 0 {
                line("missed", [("points", .uint(chunk.missed))], "\(chunk.missed) points missed")
            }
            for index in 0..<chunk.columns.count {
                let point = chunk.columns[index]
                let fields: [(String, JSONValue)] =
                    [("key", .string(chunk.series.key)), ("step", .int(point.step))]
                    + JSONValue.time("time", Timestamp(microseconds: point.time))
                    + [("value", .double(point.value))] + chunk.series.jsonFields
                line(
                    "metric", fields,
                    "\(printable(chunk.series.name))  step \(point.step)  "
                        + Rendering.exact(point.value))
            }
        case .log(let lines):
            for one in lines {
                guard case .object(let fields) = one.json([]) else { continue }
                line(
                    "log", fields,
                    "\(one.stream.name)  \(printable(LastLines.visible(one.bytes[...])))")
            }
        case .missingLog(let bytes):
            line("log_missing", [("bytes", .uint(bytes))], "\(bytes) bytes of the log are missing")
        case .trouble(let text): show(trouble: text)
        case .history, .summaries: break
        }
        Output.flush()
    }

    private func show(_ run: Run) {
        let isNew = state.withLock { state in
            defer { state.status = run.status }
            return state.status != run.status
        }
        guard isNew else { return }
        let cause = run.endedCause.isEmpty ? "" : ": \(printable(run.endedCause))"
        line(
            run.status.isTerminal ? "end" : "run",
            [
                ("run_id", .string("\(run.id)")), ("name", .string(run.name)),
                ("status", .string(run.status.rawValue)), ("cause", .string(run.endedCause)),
            ], "\(run.status.rawValue)\(cause)")
    }

    private func show(trouble text: String?) {
        let isNew = state.withLock { state in
            defer { state.trouble = text }
            return state.trouble != text
        }
        guard isNew, let text else { return }
        line("trouble", [("reason", .string(text))], printable(text))
    }

    private func line(_ event: String, _ fields: [(String, JSONValue)], _ text: String) {
        Output.line(isJSON ? JSONValue.object([("event", .string(event))] + fields).text : text)
    }
}

extension WatchState {
    /// All of it as one object with stable keys.
    func json(now: ContinuousClock.Instant) -> JSONValue {
        .object([
            ("run_id", .optional(run.map { "\($0.id)" })), ("name", .optional(run?.name)),
            ("experiment", .string(experiment)), ("status", .optional(run?.status.rawValue)),
            ("cause", .optional(run?.endedCause)),
            ("step", pace.step.map { .int($0) } ?? .null),
            ("total_steps", totalSteps.map { .int($0) } ?? .null),
            ("steps_per_s", pace.stepsPerSecond.map { .double($0) } ?? .null),
            ("left_s", timeLeft.map { .double($0 / .seconds(1)) } ?? .null),
            (
                "metrics",
                .array(
                    ordered.map { key, series in
                        .object(
                            [
                                ("key", .string(key.key)), ("count", .uint(series.count)),
                                ("last", series.last.map { .double($0.value) } ?? .null),
                                ("step", series.last.map { .int($0.step) } ?? .null),
                                ("min", series.min.map { .double($0) } ?? .null),
                                ("max", series.max.map { .double($0) } ?? .null),
                                ("points_per_s", .double(series.rate(now: now))),
                            ] + key.jsonFields)
                    })
            ), ("log", .array(log.map { $0.json([]) })),
        ])
    }
}
