/// When runs are compacted, and how much of the time that may take.
package struct CompactionPolicy: Sendable, Hashable {
    /// Whether runs are compacted by themselves at all.
    package var isAutomatic = true
    /// Segments or points of a run from which on it is compacted while it is written.
    package var busySegments = 256
    package var busyPoints = 262_144
    /// A run that got no points for so long is compacted once more.
    package var quietAfter: Duration = .seconds(30)
    /// How often it is looked for something to do.
    package var interval: Duration = .seconds(1)
    /// The share of the time that compaction takes while points arrive.
    package var busyShare = 0.2
    /// Fewer points than this for each series stay in segments, whose rows cost less then, unless
    /// there are `manySegments`.
    package var pointsPerSeries = 64
    package var manySegments = 64

    package init() {}

    /// Whether a run's backlog is worth a step.
    func isWorth(segments: Int, points: Int, series: Int) -> Bool {
        segments >= manySegments || points >= pointsPerSeries * series
    }
}
