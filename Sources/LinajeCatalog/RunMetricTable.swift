package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Notes the last values of metrics of a run, for searches. Repeating it changes nothing, and for a
    /// run that was deleted for good nothing is noted.
    package func indexMetrics(_ run: RunID, _ metrics: [RunMetric]) throws {
        guard try reader.purge(of: run) == nil else { return }
        for metric in metrics {
            try connection.execute(
                """
                INSERT INTO run_metrics (run_id, key, value, step, time_us) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (run_id, key) DO UPDATE
                SET value = excluded.value, step = excluded.step, time_us = excluded.time_us
                WHERE run_metrics.step <> excluded.step OR run_metrics.time_us <> excluded.time_us
                    OR run_metrics.value <> excluded.value
                    OR (run_metrics.value IS NULL) <> (excluded.value IS NULL)
                """,
                [
                    .id(run), .text(metric.key),
                    metric.value.isNaN ? .null : .real(metric.value), .integer(metric.step),
                    .integer(metric.time),
                ])
        }
    }
}

extension CatalogReader {
    /// The last values of the metrics of many runs, by key, as far as they are indexed.
    func metrics(of runs: [SQLValue]) throws -> [SQLValue: [RunMetric]] {
        guard !runs.isEmpty else { return [:] }
        var found = GroupedRows<RunMetric>()
        try connection.query(
            """
            SELECT run_id, key, value, step, time_us FROM run_metrics
            WHERE run_id IN (\(placeholders(runs.count))) ORDER BY run_id, key
            """, runs
        ) { row in
            found.add(
                RunMetric(
                    key: try row.text(1), value: row.isNull(2) ? .nan : try row.double(2),
                    step: try row.int(3), time: try row.int(4)), of: row)
        }
        return found.finish()
    }
}

/// Bytes of some metrics.
func weight(of metrics: [RunMetric]) -> Int {
    metrics.reduce(0) { $0 + $1.key.utf8.count + 32 }
}
