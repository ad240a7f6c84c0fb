extension MetricFamily {
    /// Every metric of the daemon. `docs/telemetry.md` is the same table with more words; a test
    /// compares it with what a daemon exports.
    ///
    /// The values of all labels are closed sets: methods, names of errors, databases, states. What
    /// a client says never becomes a label, or clients could make the daemon grow.
    package static let all: [MetricFamily] =
        connections + calls + ingest + sqlite + artifacts + backends + runs + storage + process

    private static let connections = [
        MetricFamily("linaje_connections", .gauge, "Connections that are open."),
        MetricFamily(
            "linaje_connections_accepted_total", .counter, "Connections whose hello was answered."),
        MetricFamily(
            "linaje_connections_refused_total", .counter,
            "Connections ended before their hello was answered, by error.", isSparse: true),
        MetricFamily(
            "linaje_connections_cut_total", .counter,
            "Connections ended by the daemon for what they did, by error.", isSparse: true),
        MetricFamily("linaje_frames_received_total", .counter, "Frames received from clients."),
        MetricFamily("linaje_frames_sent_total", .counter, "Frames sent to clients."),
        MetricFamily("linaje_received_bytes_total", .counter, "Bytes received from clients."),
        MetricFamily("linaje_sent_bytes_total", .counter, "Bytes sent to clients."),
    ]

    private static let calls = [
        MetricFamily(
            "linaje_calls_total", .counter, "Calls that are over, by method and result.",
            isSparse: true),
        MetricFamily(
            "linaje_call_seconds", .histogram(.seconds),
            "Time from the request of a unary call to its end, by method.", isSparse: true),
    ]

    private static let ingest = [
        MetricFamily("linaje_ingest_points_total", .counter, "Metric points made durable."),
        MetricFamily("linaje_ingest_batches_total", .counter, "Metric batches made durable."),
        MetricFamily(
            "linaje_ingest_bytes_total", .counter,
            "Bytes of durable metric batches, as they came over the wire."),
        MetricFamily(
            "linaje_ingest_refused_batches_total", .counter,
            "Metric batches that were not stored, by error.", isSparse: true),
        MetricFamily(
            "linaje_ingest_commit_seconds", .histogram(.fineSeconds),
            "Time of a commit of metric points, its fsync included."),
        MetricFamily(
            "linaje_ingest_commit_points", .histogram(.counts), "Points in a commit."),
        MetricFamily(
            "linaje_ingest_queue_bytes", .gauge, "Bytes of metric batches that wait or are stored."),
        MetricFamily(
            "linaje_ingest_queue_limit_bytes", .gauge, "Bytes of metric batches that may wait."),
        MetricFamily(
            "linaje_compaction_points_total", .counter, "Points packed into chunks."),
        MetricFamily(
            "linaje_compaction_segments_total", .counter, "Segments that they came from."),
        MetricFamily(
            "linaje_compaction_bytes_read_total", .counter, "Bytes of those segments."),
        MetricFamily(
            "linaje_compaction_bytes_written_total", .counter, "Bytes of the chunks."),
        MetricFamily(
            "linaje_compaction_step_seconds", .histogram(.fineSeconds),
            "Time of a step of compaction, its commit included."),
    ]

    private static let sqlite = [
        MetricFamily(
            "linaje_sqlite_commit_seconds", .histogram(.fineSeconds),
            "Time of a COMMIT, its fsync included, by database."),
        MetricFamily(
            "linaje_sqlite_checkpoint_seconds", .histogram(.seconds),
            "Time of moving the log into the database file, by database."),
        MetricFamily(
            "linaje_sqlite_read_wait_seconds", .histogram(.seconds),
            "Time that a read waited for a connection, by database."),
        MetricFamily(
            "linaje_sqlite_wal_frames", .gauge, "Pages in the write-ahead log, by database."),
    ]

    private static let artifacts = [
        MetricFamily(
            "linaje_artifact_chunks_total", .counter,
            "Chunks of files that came, by whether the store knew them."),
        MetricFamily(
            "linaje_artifact_chunk_bytes_total", .counter,
            "Content of chunks that came, by whether the store knew them."),
        MetricFamily(
            "linaje_artifact_written_bytes_total", .counter, "Bytes of packs made durable."),
        MetricFamily(
            "linaje_artifact_pack_seconds", .histogram(.seconds),
            "Time to make a pack durable and enter it in the index."),
        MetricFamily(
            "linaje_artifact_read_bytes_total", .counter, "Bytes of files read and found right."),
        MetricFamily(
            "linaje_artifact_corrupt_total", .counter,
            "Blobs that were read and did not match their digest."),
        MetricFamily(
            "linaje_artifact_condemned_bytes_total", .counter,
            "Bytes in packs that a collection found not to be needed."),
        MetricFamily(
            "linaje_artifact_freed_bytes_total", .counter,
            "Bytes that collections gave back to the disk."),
        MetricFamily(
            "linaje_artifact_rescued_total", .counter,
            "Blobs that a collection had condemned and a later one found needed."),
        MetricFamily("linaje_artifact_store_packs", .gauge, "Pack files in the store."),
        MetricFamily("linaje_artifact_store_chunks", .gauge, "Chunks in the store."),
        MetricFamily(
            "linaje_artifact_store_bytes", .gauge, "Bytes that the store's chunks take in packs."),
        MetricFamily(
            "linaje_artifact_store_content_bytes", .gauge, "Bytes that the store's chunks hold."),
    ]

    private static let backends = [
        MetricFamily(
            "linaje_backend_requests_total", .counter,
            "Calls of the store of packs, by backend, operation and result.", isSparse: true),
        MetricFamily(
            "linaje_backend_bytes_total", .counter,
            "Bytes read from the store of packs and written to it, by backend.", isSparse: true),
        MetricFamily(
            "linaje_backend_seconds", .histogram(.seconds),
            "Time of a call of the store of packs, by backend and operation.", isSparse: true),
    ]

    private static let runs = [
        MetricFamily(
            "linaje_runs_watched", .gauge, "Runs that have not ended and whose owner is watched."),
        MetricFamily("linaje_runs_stalled", .gauge, "Runs that are STALLED."),
        MetricFamily(
            "linaje_runs_ended_total", .counter, "Runs that ended, by status and who said so.",
            isSparse: true),
        MetricFamily("linaje_runs_stalls_total", .counter, "Times that a run became STALLED."),
        MetricFamily("linaje_ledger_events_total", .counter, "Events in the registry's ledger."),
        MetricFamily(
            "linaje_idempotency_expired_total", .counter,
            "Idempotency keys forgotten after their window."),
        MetricFamily(
            "linaje_flavor_calls_total", .counter, "Models examined by flavors, by result."),
        MetricFamily(
            "linaje_flavor_seconds", .histogram(.seconds), "Time to examine a model."),
    ]

    private static let storage = [
        MetricFamily(
            "linaje_storage_failed", .gauge,
            "1 when a write failed and the store accepts nothing more, by store."),
        MetricFamily(
            "linaje_disk_free_bytes", .gauge,
            "Free bytes on the file system of the state directory."),
        MetricFamily(
            "linaje_disk_bytes", .gauge, "Bytes of the file system of the state directory."),
        MetricFamily("linaje_build_info", .gauge, "1, with the daemon's version."),
    ]

    private static let process = [
        MetricFamily(
            "process_cpu_seconds_total", .counter, "Processor time, user and system."),
        MetricFamily("process_resident_memory_bytes", .gauge, "Resident memory."),
        MetricFamily("process_virtual_memory_bytes", .gauge, "Virtual memory."),
        MetricFamily("process_open_fds", .gauge, "Open file descriptors."),
        MetricFamily("process_max_fds", .gauge, "File descriptors that may be open."),
        MetricFamily(
            "process_start_time_seconds", .gauge, "Start of the process, in seconds since 1970 UTC."
        ),
    ]
}
