import LinajePluginKit

/// What searches need of the schema: the last value of each metric, and indexes.
///
/// ```
/// run_metrics      (run_id key)*  value?  step  time_us
/// ```
/// A value that is NULL is NaN. The table is derived from the metric database, which is another
/// file: `CatalogTransaction.indexMetrics` brings it up to date. Values of params and tags are
/// indexed by their beginnings, since a tag may hold 100,000 bytes.
enum SearchSchemaSteps {
    static let migration = SQLMigration(
        "10 search",
        [
            """
            CREATE TABLE run_metrics (
                run_id {blob} NOT NULL,
                key TEXT NOT NULL,
                value DOUBLE PRECISION,
                step BIGINT NOT NULL,
                time_us BIGINT NOT NULL,
                PRIMARY KEY (run_id, key)){clustered}
            """,
            "CREATE INDEX run_metrics_by_value ON run_metrics (key, value, run_id)",
            byValue("run_params"),
            byValue("run_tags"),
            "CREATE INDEX runs_by_status ON runs (status, started_at_us, id)",
            "CREATE INDEX runs_by_name ON runs (name, id)",
            // All that most filters ask of the run itself: counting reads no row.
            """
            CREATE INDEX runs_facts
                ON runs (id, lifecycle, experiment_id, status, started_at_us)
            """,
            "CREATE INDEX run_datasets_by_name ON run_datasets (name, run_id)",
        ])

    private static func byValue(_ table: String) -> String {
        let beginning = SearchTable.beginning("value")
        return "CREATE INDEX \(table)_by_value ON \(table) (key, (\(beginning)){bytewise}, run_id)"
    }
}
