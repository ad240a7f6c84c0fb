package import LinajeDomain
package import LinajePluginKit
package import Logging
import ServiceLifecycle
import Synchronization

/// The logs of runs: what their commands wrote to standard output and standard error.
///
/// Life of a byte: `append` compares the writer's own count of bytes with what is durable, so that
/// each is stored once; what is new becomes a chunk, in one transaction with the counts. Small chunks
/// are merged now and then (`RunLogMerge`). Readers read what is stored and are woken by appends;
/// nothing waits for them and nothing is kept for them.
package final class RunLogStore: Service, Sendable {
    /// What an append did.
    package struct Appended: Sendable, Hashable {
        /// Bytes of the writer that are durable, missing ones too.
        package var durable: UInt64
        /// Whether the log takes no more.
        package var isFull: Bool
    }

    let backend: any SQLBackend
    let limit: UInt64
    let tails = RunLogTails()
    private let merge: RunLogMerge
    private let logger: Logger
    private let failed = Mutex<LinajeError?>(nil)

    /// - Parameters:
    ///   - backend: the database; others may use it too.
    ///   - limit: bytes of output that one run's log keeps.
    package init(
        backend: any SQLBackend, limit: UInt64 = Limits.logBytes, logger: Logger
    ) {
        self.backend = backend
        self.limit = min(limit, UInt64(Int64.max))
        self.logger = logger
        merge = RunLogMerge(backend: backend, logger: logger)
    }

    /// Brings the schema up to date. Called once, before anything else.
    package func prepare() async throws {
        try await backend.migrate(RunLogSchema.namespace, RunLogSchema.migrations)
    }

    /// Merges small chunks until graceful shutdown (or cancellation), then ends all tails.
    package func run() async throws {
        await merge.run()
        tails.endAll()
    }

    /// Why no log is written any more; `nil` while all is well.
    package var failure: LinajeError? { failed.withLock { $0 } }

    /// Appends what is new of these records.
    ///
    /// - Parameter offset: how many bytes the writer had before the first record.
    /// - Throws: `failedPrecondition` with the detail `durable_offset` for an offset past what is
    ///   durable, `limitExceeded` for too much at once, `storageFailed` after a failed write.
    package func append(
        run: RunID, writer: WriterID, offset: UInt64, _ records: [LogRecord]
    ) async throws -> Appended {
        if let failure { throw failure }
        let append = try RunLogAppend(
            run: run, writer: writer, offset: offset, records: records, limit: limit)
        do {
            let (appended, chunkBytes) = try await append.perform(backend)
            if chunkBytes > 0 { merge.added(run, bytes: chunkBytes) }
            tails.wake(run)
            return appended
        } catch let error as LinajeError where error.code == .storageFailed {
            failed.withLock { $0 = $0 ?? error }
            logger.critical(
                "a write failed: no run log is accepted any more; look at the disk, then restart",
                metadata: ["error": "\(error)"])
            throw error
        }
    }

    /// What is known of a run's log; that of a run without one is empty.
    package func extent(_ run: RunID) async throws -> LogExtent {
        try await backend.read { try RunLogReader(connection: $0, run: run).extent() }
    }

    /// Where in the log a start is.
    ///
    /// - Parameter streams: those that a number of last lines is about; none: all.
    /// - Throws: `limitExceeded` for more last lines than a log is searched for.
    package func offset(
        of start: LogStart, _ run: RunID, streams: Set<LogStream>
    ) async throws -> UInt64 {
        try await backend.read {
            try RunLogReader(connection: $0, run: run).offset(of: start, streams: streams)
        }
    }

    /// The next part of a log, at most some 256 KiB; empty at its end.
    ///
    /// - Returns: the records of the wanted streams, and where the next part begins.
    /// - Throws: `corrupt`, naming the run, for stored bytes that are damaged.
    package func read(
        _ run: RunID, from offset: UInt64, streams: Set<LogStream>
    ) async throws -> (records: [PlacedLogRecord], next: UInt64) {
        try await backend.read {
            try RunLogReader(connection: $0, run: run).page(from: offset, streams: streams)
        }
    }

    /// Wakes its reader when something was appended to a run's log, once at first, until
    /// `endTails`. Several appends may be one wake.
    package func appends(_ run: RunID) -> AsyncStream<Void> { tails.stream(run) }

    /// Ends the tails of a run that has ended; their readers read what is left.
    package func endTails(_ run: RunID) {
        tails.end(run)
        merge.ended(run)
    }

    /// Deletes the log of a run, in short transactions; that of a run without one is nothing to do.
    /// Nobody may append to it meanwhile. A call that did not return is repeated: readers may find a
    /// part of the log until then.
    ///
    /// - Parameter report: told after each step how many bytes of output it removed.
    package func delete(_ run: RunID, report: (UInt64) -> Void = { _ in }) async throws {
        tails.end(run)
        let isThere = try await backend.read { connection in
            try Self.tables.contains { table in
                try connection.first(
                    "SELECT 1 FROM \(table) WHERE run = ? LIMIT 1", [.blob(run.array)]
                ) { try $0.int(0) } != nil
            }
        }
        guard isThere else { return }
        while true {
            let (bytes, hasMore) = try await backend.write { try Self.deleteChunks(of: run, $0) }
            report(bytes)
            guard hasMore else { return }
        }
    }

    private static let tables = [
        "run_log_quarantine", "run_log_writers", "run_logs", "run_log_chunks",
    ]
    /// Chunks, of up to 256 KiB before they are packed, that one transaction deletes.
    private static let deletedChunks = 64

    /// Deletes some chunks, with the last of them everything else.
    private static func deleteChunks(
        of run: RunID, _ connection: any SQLConnection
    ) throws -> (bytes: UInt64, hasMore: Bool) {
        let chunks = try connection.all(
            "SELECT id, bytes FROM run_log_chunks WHERE run = ? LIMIT \(deletedChunks)",
            [.blob(run.array)]
        ) { (id: try $0.int(0), bytes: UInt64(clamping: try $0.int(1))) }
        if !chunks.isEmpty {
            let marks = chunks.map { _ in "?" }.joined(separator: ", ")
            try connection.execute(
                "DELETE FROM run_log_chunks WHERE id IN (\(marks))",
                chunks.map { .integer($0.id) })
        }
        let bytes = chunks.reduce(0) { $0 + min($1.bytes, UInt64(Int64.max) >> 8) }
        guard chunks.count < deletedChunks else { return (bytes, true) }
        for table in tables {
            try connection.execute("DELETE FROM \(table) WHERE run = ?", [.blob(run.array)])
        }
        return (bytes, false)
    }

    /// Merges what is small now; for tests, and for whoever is about to measure.
    package func mergeNow(_ run: RunID) async throws { try await merge.merge(run) }
}
