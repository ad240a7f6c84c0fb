import Metrics

/// What is counted of flavors (docs/telemetry.md).
struct FlavorMetrics: Sendable {
    private let succeeded = Counter(
        label: "linaje_flavor_calls_total", dimensions: [("result", "ok")])
    private let failed = Counter(
        label: "linaje_flavor_calls_total", dimensions: [("result", "failed")])
    private let time = Timer(label: "linaje_flavor_seconds")

    /// A model was examined, or not.
    func ended(_ isGood: Bool, since start: ContinuousClock.Instant) {
        (isGood ? succeeded : failed).increment()
        time.record(duration: start.duration(to: .now))
    }
}
