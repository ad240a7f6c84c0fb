package import LinajeDomain
import LinajePluginKit

extension ArtifactStore {
    /// Keeps how a task went, in the place of what was kept of it.
    package func record(_ record: UpkeepRecord) async throws {
        _ = try await index.sql.write { connection in
            try connection.execute(
                """
                INSERT INTO artifact_upkeep
                    (task, begun_us, ended_us, bytes, total_bytes, findings, message, place)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (task) DO UPDATE SET begun_us = excluded.begun_us,
                    ended_us = excluded.ended_us, bytes = excluded.bytes,
                    total_bytes = excluded.total_bytes, findings = excluded.findings,
                    message = excluded.message, place = excluded.place
                """,
                [
                    .text(record.task), .integer(record.begunAt.microseconds),
                    .integer(record.endedAt?.microseconds ?? 0),
                    .integer(Int64(clamping: record.bytes)),
                    .integer(Int64(clamping: record.totalBytes)),
                    .integer(Int64(clamping: record.findings)), .text(record.message),
                    .text(record.place),
                ])
        }
    }

    /// How tasks went last, by their names.
    package func upkeepRecords() async throws -> [UpkeepRecord] {
        try await index.sql.read { connection in
            try connection.all(
                """
                SELECT task, begun_us, ended_us, bytes, total_bytes, findings, message, place
                FROM artifact_upkeep ORDER BY task
                """
            ) { row in
                let ended = try row.int(2)
                return UpkeepRecord(
                    task: try row.text(0), begunAt: Timestamp(microseconds: try row.int(1)),
                    endedAt: ended == 0 ? nil : Timestamp(microseconds: ended),
                    bytes: UInt64(clamping: try row.int(3)),
                    totalBytes: UInt64(clamping: try row.int(4)),
                    findings: UInt64(clamping: try row.int(5)), message: try row.text(6),
                    place: try row.text(7))
            }
        }
    }
}
