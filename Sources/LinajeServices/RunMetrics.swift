import LinajeDomain
import Metrics

/// What is counted of runs (docs/telemetry.md).
struct RunMetrics: Sendable {
    /// Who said that a run has ended.
    enum Speaker: String {
        /// Its owner, or whoever changed it.
        case client
        /// The daemon: the owner is gone.
        case daemon
    }

    private let stalls = Counter(label: "linaje_runs_stalls_total")

    func stalled() { stalls.increment() }

    static func ended(_ status: RunStatus, by speaker: Speaker) {
        Counter(
            label: "linaje_runs_ended_total",
            dimensions: [("status", status.rawValue), ("by", speaker.rawValue)]
        ).increment()
    }
}
