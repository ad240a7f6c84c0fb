package import LinajePluginKit

/// The tables of the run logs, migrations "run logs", in the database of the metrics.
///
/// ```
/// run_logs                                   run_log_chunks
///   run      the key                           id
///   extent   where the next byte goes          run, first_byte   where in the log it begins
///   bytes    that are in it                    bytes             at least 1
///   lines    line feeds among them             first_line        line feeds before it
///                                              lines             line feeds in it
/// run_log_writers                              min_time, max_time
///   run, number   the key; from 0              is_full           0: small, to be merged
///   writer        16 bytes                     data              STORAGE.md "Run logs"
///   durable       bytes of its own count
///                 that are taken
/// ```
/// Offsets count missing bytes too: where one chunk ends before the next begins, or before `extent`,
/// the bytes between are missing. A chunk and the `durable` and `extent` that it raises are written in
/// one transaction: that is what stores each byte once. `run_log_quarantine` holds chunks that
/// recovery could not keep; nothing reads it but people.
package enum RunLogSchema {
    /// What the backend files the steps under.
    package static let namespace = "run logs"

    /// All steps, oldest first. A step that was released is never changed.
    package static let migrations = [
        SQLMigration(
            "chunks",
            [
                """
                CREATE TABLE run_logs (
                    run {blob} NOT NULL PRIMARY KEY, extent BIGINT NOT NULL,
                    bytes BIGINT NOT NULL, lines BIGINT NOT NULL)
                """,
                """
                CREATE TABLE run_log_writers (
                    run {blob} NOT NULL, number BIGINT NOT NULL, writer {blob} NOT NULL,
                    durable BIGINT NOT NULL,
                    PRIMARY KEY (run, number), UNIQUE (run, writer))
                """,
                """
                CREATE TABLE run_log_chunks (
                    id {identity}, run {blob} NOT NULL,
                    first_byte BIGINT NOT NULL, bytes BIGINT NOT NULL,
                    first_line BIGINT NOT NULL, lines BIGINT NOT NULL,
                    min_time BIGINT NOT NULL, max_time BIGINT NOT NULL,
                    is_full BIGINT NOT NULL, data {blob} NOT NULL)
                """,
                "CREATE UNIQUE INDEX run_log_chunks_by_run ON run_log_chunks (run, first_byte)",
                "CREATE INDEX run_log_chunks_small ON run_log_chunks (run) WHERE is_full = 0",
                """
                CREATE TABLE run_log_quarantine (
                    id {identity}, chunk BIGINT NOT NULL, run {blob} NOT NULL,
                    first_byte BIGINT NOT NULL, bytes BIGINT NOT NULL, data {blob} NOT NULL,
                    finding TEXT NOT NULL)
                """,
            ])
    ]
}
