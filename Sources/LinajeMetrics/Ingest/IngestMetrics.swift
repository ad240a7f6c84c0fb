import LinajeDomain
import Metrics

/// What the metric engine counts about itself (docs/telemetry.md), once for each commit.
struct IngestMetrics: Sendable {
    private let points = Counter(label: "linaje_ingest_points_total")
    private let batches = Counter(label: "linaje_ingest_batches_total")
    private let bytes = Counter(label: "linaje_ingest_bytes_total")
    private let commitTime = Timer(label: "linaje_ingest_commit_seconds")
    private let commitPoints = Recorder(label: "linaje_ingest_commit_points")

    /// A commit is durable.
    func committed(_ groups: [IngestQueue.Group], points count: Int, took: Duration) {
        points.increment(by: count)
        batches.increment(by: groups.reduce(0) { $0 + $1.batches.count })
        bytes.increment(by: groups.reduce(0) { $0 + $1.bytes })
        commitTime.record(duration: took)
        commitPoints.record(count)
    }

    /// Batches that are not stored.
    static func refused(_ batches: Int, _ error: LinajeError) {
        Counter(
            label: "linaje_ingest_refused_batches_total", dimensions: [("reason", error.code.name)]
        ).increment(by: batches)
    }
}
