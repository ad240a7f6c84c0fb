import Metrics

/// What compaction counts about itself (docs/telemetry.md), once for each step.
struct CompactionMetrics: Sendable {
    private let points = Counter(label: "linaje_compaction_points_total")
    private let segments = Counter(label: "linaje_compaction_segments_total")
    private let bytesIn = Counter(label: "linaje_compaction_bytes_read_total")
    private let bytesOut = Counter(label: "linaje_compaction_bytes_written_total")
    private let stepTime = Timer(label: "linaje_compaction_step_seconds")

    func done(_ outcome: RunCompaction.Outcome, took: Duration) {
        points.increment(by: outcome.points)
        segments.increment(by: outcome.segments)
        bytesIn.increment(by: outcome.bytesBefore)
        bytesOut.increment(by: outcome.bytesAfter)
        stepTime.record(duration: took)
    }
}
