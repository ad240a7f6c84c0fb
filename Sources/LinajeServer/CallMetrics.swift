import LinajeDomain
import Metrics

/// What is counted of one method (docs/telemetry.md).
struct CallMetrics: Sendable {
    private let method: String
    private let succeeded: Counter
    /// `nil` where a call may last for hours by its nature.
    private let time: Timer?

    init(method: String, isUnary: Bool) {
        self.method = method
        succeeded = Counter(label: Self.calls, dimensions: [("method", method), ("result", "ok")])
        time =
            isUnary
            ? Timer(label: "linaje_call_seconds", dimensions: [("method", method)]) : nil
    }

    /// For opcodes that are not known.
    static let unknown = CallMetrics(method: "unknown", isUnary: false)

    /// A call is over.
    ///
    /// - Parameter failure: the error it ended with; `nil` when all went well.
    func ended(since start: ContinuousClock.Instant, _ failure: LinajeError.Code?) {
        time?.record(duration: start.duration(to: .now))
        if let failure { refused(failure) } else { succeeded.increment() }
    }

    /// A call ended with an error, maybe before it began.
    func refused(_ code: LinajeError.Code) {
        // A plugin may answer with a number that nobody knows; labels are a closed set.
        let isKnown = LinajeError.Code.known.contains { $0.code == code }
        Counter(
            label: Self.calls,
            dimensions: [("method", method), ("result", isKnown ? code.name : "other")]
        ).increment()
    }

    private static let calls = "linaje_calls_total"
}
