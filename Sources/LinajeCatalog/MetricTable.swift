package import LinajeDomain
import LinajePluginKit

/// A table of the last values of metrics and the column that says whose they are.
struct MetricTable {
    let name: String
    let owner: String
    /// When a value replaces the one that is there, besides being another one.
    let condition: String

    static let runs = MetricTable(name: "run_metrics", owner: "run_id", condition: "1 = 1")
    /// What was logged about a model in one run may be older than what another run has said.
    static let loggedModels = MetricTable(
        name: "logged_model_metrics", owner: "logged_model_id",
        condition: "(excluded.step, excluded.time_us) >= "
            + "(logged_model_metrics.step, logged_model_metrics.time_us)")
}

extension CatalogTransaction {
    /// Notes the last values of metrics, for searches. Repeating it changes nothing, and for a run that
    /// was deleted for good nothing is noted.
    package func index(_ metrics: OwnedMetrics) throws {
        switch metrics.owner {
        case .run(let id):
            guard try reader.purge(of: id) == nil else { return }
            try index(metrics.metrics, in: .runs, of: .id(id))
            try keepList(metrics, of: .id(id))
        case .model(let id): try index(metrics.metrics, in: .loggedModels, of: .id(id))
        }
    }

    /// Keeps what lists show of a run in one row, or forgets it when that is not known as a whole.
    private func keepList(_ metrics: OwnedMetrics, of run: SQLValue) throws {
        guard metrics.isWhole, !metrics.metrics.isEmpty,
            metrics.metrics.count <= MetricList.mostMetrics
        else {
            try connection.execute("DELETE FROM run_metric_lists WHERE run_id = ?", [run])
            return
        }
        try connection.execute(
            """
            INSERT INTO run_metric_lists (run_id, metrics) VALUES (?, ?)
            ON CONFLICT (run_id) DO UPDATE SET metrics = excluded.metrics
            WHERE run_metric_lists.metrics <> excluded.metrics
            """, [run, .blob(MetricList.encode(metrics.metrics))])
    }

    private func index(
        _ metrics: [RunMetric], in table: MetricTable, of owner: SQLValue
    ) throws {
        let name = table.name
        let statement =
            """
            INSERT INTO \(name) (\(table.owner), key, value, step, time_us) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (\(table.owner), key) DO UPDATE
            SET value = excluded.value, step = excluded.step, time_us = excluded.time_us
            WHERE \(table.condition) AND (
                \(name).step <> excluded.step OR \(name).time_us <> excluded.time_us
                OR \(name).value <> excluded.value
                OR (\(name).value IS NULL) <> (excluded.value IS NULL))
            """
        for metric in metrics {
            try connection.execute(
                statement,
                [
                    owner, .text(metric.key), metric.value.isNaN ? .null : .real(metric.value),
                    .integer(metric.step), .integer(metric.time),
                ])
        }
    }
}
