import LinajePluginKit

/// What deleting runs for good needs of the schema.
///
/// ```
/// runs        deleted_at_us?                                  when it was marked as deleted
/// run_purges  run_id*  experiment_id  principal  begun_at_us  is_done
/// ```
/// A row of `run_purges` takes the place of the run's own in one transaction: from then on nobody finds
/// the run. While `is_done` is 0, points, log and index may still hold something of it, in this database
/// and in the one of the metrics; then the row stays, so that the id is never used again.
enum RunPurgeSteps {
    static let migration = SQLMigration(
        "11 run purges",
        [
            "ALTER TABLE runs ADD COLUMN deleted_at_us BIGINT",
            """
            CREATE INDEX runs_by_deletion ON runs (deleted_at_us, id)
                WHERE lifecycle = 'deleted'
            """,
            """
            CREATE TABLE run_purges (
                run_id {blob} NOT NULL PRIMARY KEY,
                experiment_id BIGINT NOT NULL,
                principal TEXT NOT NULL,
                begun_at_us BIGINT NOT NULL,
                is_done BIGINT NOT NULL DEFAULT 0)
            """,
            "CREATE INDEX run_purges_open ON run_purges (run_id) WHERE is_done = 0",
        ])
}
