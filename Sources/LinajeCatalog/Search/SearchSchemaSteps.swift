import LinajePluginKit

/// What searches need of the schema: the last value of each metric, and indexes.
///
/// ```
/// run_metrics      (run_id key)*  value?  step  time_us
/// run_metric_lists run_id*  metrics              the rows of a run in one, see MetricList
/// logged_model_metrics  (logged_model_id key)*  value?  step  time_us
/// ```
/// A value that is NULL is NaN. The tables are derived from the metric database, which is another
/// file: `CatalogTransaction.index` brings them up to date. Values of params and tags are
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

    /// The same for what was logged about models.
    static let modelMetrics = SQLMigration(
        "12 metrics of logged models",
        [
            """
            CREATE TABLE logged_model_metrics (
                logged_model_id {blob} NOT NULL,
                key TEXT NOT NULL,
                value DOUBLE PRECISION,
                step BIGINT NOT NULL,
                time_us BIGINT NOT NULL,
                PRIMARY KEY (logged_model_id, key)){clustered}
            """,
            """
            CREATE INDEX logged_model_metrics_by_value
                ON logged_model_metrics (key, value, logged_model_id)
            """,
        ])

    /// What lists show of a run in one row, see `MetricList`.
    static let metricLists = SQLMigration(
        "13 lists of metrics",
        [
            """
            CREATE TABLE run_metric_lists (
                run_id {blob} NOT NULL PRIMARY KEY,
                metrics {blob} NOT NULL){clustered}
            """
        ])

    private static func byValue(_ table: String) -> String {
        let beginning = SearchTable.beginning("value")
        return "CREATE INDEX \(table)_by_value ON \(table) (key, (\(beginning)){bytewise}, run_id)"
    }
}
