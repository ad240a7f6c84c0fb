package import LinajePluginKit

/// The tables of the metric engine, migrations "metrics".
///
/// ```
/// metric_segments                            metric_writers
///   id          counted up: arrival order      run, writer       the key
///   run         16 bytes                       durable_through   last batch that is durable
///   writer      16 bytes                       folded_through    last segment that the summaries
///   first_batch, last_batch                                      of this writer have taken in
///   points
///   min_step, max_step, min_time, max_time   metric_summaries
///   data        STORAGE.md "Metric segments"   run, writer, series (as in a segment)   the key
///                                              points, nans
///                                              min_bits, max_bits           NULL: only NaN
///                                              first_/last_ step, time, bits, segment
///                                              touched   last segment with a point of the series
/// ```
/// `metric_writers.indexed_through` is the last batch of the writer whose values are in the search
/// index, which another database holds (`MetricStore+Index`).
///
/// `metric_quarantine` holds what recovery could not keep among the segments, by the number it had:
/// damaged bytes as they were found, or no bytes for batches that are gone; `finding` says what is
/// wrong. Nothing reads it but people and the next recovery.
///
/// A segment and the `durable_through` that it raises are written in one transaction: that is what
/// makes batches exactly-once. Summaries are written later, now and then; what is missing in them
/// is in the segments after `folded_through`. Values are kept as the 64 bits of the double, since
/// databases have no NaN.
package enum MetricSchema {
    /// What the backend files the steps under.
    package static let namespace = "metrics"

    /// All steps, oldest first. A step that was released is never changed.
    package static let migrations = [
        SQLMigration(
            "segments",
            [
                """
                CREATE TABLE metric_segments (
                    id {identity}, run {blob} NOT NULL, writer {blob} NOT NULL,
                    first_batch BIGINT NOT NULL, last_batch BIGINT NOT NULL,
                    points BIGINT NOT NULL,
                    min_step BIGINT NOT NULL, max_step BIGINT NOT NULL,
                    min_time BIGINT NOT NULL, max_time BIGINT NOT NULL,
                    data {blob} NOT NULL)
                """,
                "CREATE INDEX metric_segments_by_run ON metric_segments (run, id)",
                """
                CREATE TABLE metric_writers (
                    run {blob} NOT NULL, writer {blob} NOT NULL,
                    durable_through BIGINT NOT NULL, folded_through BIGINT NOT NULL DEFAULT 0,
                    PRIMARY KEY (run, writer))
                """,
                """
                CREATE TABLE metric_summaries (
                    run {blob} NOT NULL, writer {blob} NOT NULL, series {blob} NOT NULL,
                    points BIGINT NOT NULL, nans BIGINT NOT NULL,
                    min_bits BIGINT, max_bits BIGINT,
                    first_step BIGINT NOT NULL, first_time BIGINT NOT NULL,
                    first_bits BIGINT NOT NULL, first_segment BIGINT NOT NULL,
                    last_step BIGINT NOT NULL, last_time BIGINT NOT NULL,
                    last_bits BIGINT NOT NULL, last_segment BIGINT NOT NULL,
                    touched BIGINT NOT NULL,
                    PRIMARY KEY (run, writer, series))
                """,
            ]),
        SQLMigration(
            "quarantine",
            [
                """
                CREATE TABLE metric_quarantine (
                    id {identity}, segment BIGINT NOT NULL, run {blob} NOT NULL,
                    writer {blob} NOT NULL,
                    first_batch BIGINT NOT NULL, last_batch BIGINT NOT NULL,
                    points BIGINT NOT NULL, data {blob} NOT NULL, finding TEXT NOT NULL)
                """,
                "CREATE INDEX metric_quarantine_by_run ON metric_quarantine (run, writer)",
            ]),
        // Everything that was there before is unindexed, and is carried over in the background.
        SQLMigration(
            "search index",
            [
                """
                ALTER TABLE metric_writers ADD COLUMN indexed_through BIGINT NOT NULL DEFAULT 0
                """,
                """
                CREATE INDEX metric_writers_unindexed ON metric_writers (run, writer)
                    WHERE indexed_through < durable_through
                """,
            ]),
    ]
}
