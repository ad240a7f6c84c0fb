package import LinajeDomain

/// How the metric engine is doing.
package struct MetricStatistics: Sendable, Hashable {
    /// Points made durable since the start.
    package var points: UInt64
    /// Commits since the start.
    package var commits: UInt64
    /// Bytes of batches that wait for their commit.
    package var queuedBytes: Int
    /// Bytes of batches that may wait.
    package var queueLimit: Int
    /// Why nothing is written any more; `nil` while all is well.
    package var failure: LinajeError?

    package init(
        points: UInt64, commits: UInt64, queuedBytes: Int, queueLimit: Int, failure: LinajeError?
    ) {
        self.points = points
        self.commits = commits
        self.queuedBytes = queuedBytes
        self.queueLimit = queueLimit
        self.failure = failure
    }
}
