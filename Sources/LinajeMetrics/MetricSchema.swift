package import LinajePluginKit

/// The tables of the metric engine, migrations "metrics".
///
/// ```
/// metric_segments                            metric_writers
///   id          counted up: arrival order      run, writer       the key
///   run         16 bytes                       durable_through   last batch that is durable
///   writer      16 bytes                       folded_through    last segment that the summaries
///   first_batch, last_batch                                      of this writer have taken in
///   points                                     compacted_through last batch that is in chunks
///   min_step, max_step, min_time, max_time
///   data        STORAGE.md "Metric segments" metric_summaries
///                                              run, writer, series (as in a segment)   the key
/// metric_chunks                                points, nans
///   id          counted up                     min_bits, max_bits           NULL: only NaN
///   run, series                                first_/last_ step, time, bits, segment
///   last_segment, part   arrival order         touched   last segment with a point of the series
///   is_open     may still be merged
///   points, nans, min_bits, max_bits, first_/last_ step, time, bits, min_time, max_time
///   data        STORAGE.md "Metric chunks"
/// ```
/// `metric_writers.indexed_through` is the last batch of the writer whose values are in the search
/// index, which another database holds (`MetricStore+Index`).
/// Compaction replaces the oldest segments of a run by chunks, in one transaction: a point is in one
/// of them. A chunk holds points of the segments up to `last_segment`; of two chunks of a series
/// the one with the lower (last_segment, part) has those that arrived first, where (step, time) is
/// the same. No segment is compacted before the summaries of its writer have taken it in.
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
        SQLMigration(
            "chunks",
            [
                """
                CREATE TABLE metric_chunks (
                    id {identity}, run {blob} NOT NULL, series {blob} NOT NULL,
                    last_segment BIGINT NOT NULL, part BIGINT NOT NULL, is_open BIGINT NOT NULL,
                    points BIGINT NOT NULL, nans BIGINT NOT NULL,
                    min_bits BIGINT, max_bits BIGINT,
                    first_step BIGINT NOT NULL, first_time BIGINT NOT NULL,
                    first_bits BIGINT NOT NULL,
                    last_step BIGINT NOT NULL, last_time BIGINT NOT NULL,
                    last_bits BIGINT NOT NULL,
                    min_time BIGINT NOT NULL, max_time BIGINT NOT NULL,
                    data {blob} NOT NULL)
                """,
                "CREATE INDEX metric_chunks_by_series ON metric_chunks (run, series)",
                "CREATE INDEX metric_chunks_open ON metric_chunks (run) WHERE is_open = 1",
                "ALTER TABLE metric_writers ADD COLUMN compacted_through BIGINT NOT NULL DEFAULT 0",
            ]),
        // What was logged about models is carried over, too, and lists are: all once more.
        SQLMigration(
            "search index of models",
            ["UPDATE metric_writers SET indexed_through = 0 WHERE indexed_through > 0"]),
    ]
}
