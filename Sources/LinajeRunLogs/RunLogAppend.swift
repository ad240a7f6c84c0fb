import LinajeDomain
import LinajePluginKit

/// One append to a run's log: finds what is new of it, makes chunks of that, stores them.
struct RunLogAppend: Sendable {
    /// What of the log the append depends on.
    private struct State: Sendable, Hashable {
        /// The writer's number in the run, and how many of its bytes are durable.
        var number: UInt32
        var durable: UInt64
        var isKnown: Bool
    }

    /// Records without a gap between them, encoded.
    private struct Piece: Sendable {
        var chunk: LogChunk
        var data: [UInt8]
        /// Bytes missing before it.
        var gap: UInt64
    }

    private let run: RunID
    private let writer: WriterID
    private let offset: UInt64
    private let records: [LogRecord]
    private let limit: UInt64
    private let end: UInt64

    /// How often the state is looked at again when another writer of the run comes between.
    private static let attempts = 8

    /// - Throws: `limitExceeded`, `invalidArgument`.
    init(
        run: RunID, writer: WriterID, offset: UInt64, records: [LogRecord], limit: UInt64
    ) throws {
        guard records.count <= Limits.logAppendRecords else {
            throw LinajeError(
                .limitExceeded,
                "append has \(records.count) records; at most \(Limits.logAppendRecords) are "
                    + "allowed in one: send the rest in another")
        }
        var end = offset
        var bytes = 0
        for record in records {
            guard record.size > 0 else {
                throw LinajeError(.invalidArgument, "record of a log has no bytes; leave it out")
            }
            if case .bytes(_, let content) = record.content { bytes += content.count }
            let (sum, isTooLarge) = end.addingReportingOverflow(record.size)
            guard !isTooLarge, sum <= UInt64(Int64.max) / 2 else {
                throw LinajeError(
                    .limitExceeded, "append ends at byte \(sum), past what a log can count")
            }
            end = sum
        }
        guard bytes <= Limits.logAppendBytes else {
            throw LinajeError(
                .limitExceeded,
                "append has \(bytes) bytes; at most \(Limits.logAppendBytes) are allowed in one: "
                    + "send the rest in another")
        }
        (self.run, self.writer, self.offset, self.records) = (run, writer, offset, records)
        (self.limit, self.end) = (limit, end)
    }

    /// Stores what is new; durable when it returns. Chunks are made before the transaction, which
    /// others wait for, and made again when the state has changed meanwhile.
    ///
    /// - Returns: the state after it, and how many bytes came to the log.
    func perform(_ backend: any SQLBackend) async throws -> (RunLogStore.Appended, bytes: Int) {
        for _ in 0..<Self.attempts {
            let (state, stored) = try await backend.read { connection in
                (try self.state(connection), try Self.stored(connection, self.run))
            }
            guard offset <= state.durable else { throw ahead(state) }
            guard end > state.durable else {
                return (.init(durable: state.durable, isFull: stored.bytes >= limit), 0)
            }
            let room = limit - min(limit, stored.bytes)
            let (pieces, rest) = pieces(after: state, room: room)
            let done = try await backend.write { connection -> LogExtent? in
                guard try self.state(connection) == state else { return nil }
                let now = try Self.stored(connection, self.run)
                // Less room than was thought: looked at again.
                guard self.limit - min(self.limit, now.bytes) >= room || pieces.isEmpty else {
                    return nil
                }
                return try self.store(pieces, rest, state, now, connection)
            }
            guard let done else { continue }
            let bytes = pieces.reduce(0) { $0 + $1.chunk.byteCount }
            return (.init(durable: end, isFull: done.bytes >= limit), bytes)
        }
        throw LinajeError(
            .overloaded, "many writers append to the log of run \(run) at once; try again")
    }

    private func ahead(_ state: State) -> LinajeError {
        LinajeError(
            .failedPrecondition,
            "append to the log of run \(run) begins at byte \(offset) of its writer, of which "
                + "\(state.durable) are known; send those between first",
            details: ["durable_offset": "\(state.durable)"])
    }

    // MARK: What is new

    /// The new records as chunks, as far as there is room, and how many bytes are missing after
    /// them.
    private func pieces(after state: State, room: UInt64) -> ([Piece], rest: UInt64) {
        var pieces: [Piece] = []
        var current: [LogChunk.Record] = []
        var gap: UInt64 = 0
        var left = room
        func close() {
            guard !current.isEmpty else { return }
            let chunk = LogChunk(records: current)
            pieces.append(Piece(chunk: chunk, data: chunk.encoded(), gap: gap))
            current = []
            gap = 0
        }
        for record in fresh(after: state.durable) {
            switch record.content {
            case .missing(let count):
                close()
                gap += count
            case .bytes(let stream, let bytes):
                let kept = Int(min(left, UInt64(bytes.count)))
                left -= UInt64(kept)
                if kept > 0 {
                    current.append(
                        LogChunk.Record(
                            time: record.time.microseconds, stream: stream, writer: state.number,
                            bytes: Array(bytes.prefix(kept))))
                }
                guard kept < bytes.count else { continue }
                close()
                gap += UInt64(bytes.count - kept)
            }
        }
        close()
        return (pieces, gap)
    }

    private func fresh(after durable: UInt64) -> [LogRecord] {
        var known = durable - offset
        var out: [LogRecord] = []
        for record in records {
            if known >= record.size {
                known -= record.size
            } else {
                out.append(known == 0 ? record : record.dropping(known))
                known = 0
            }
        }
        return out
    }

    // MARK: Rows

    private func state(_ connection: any SQLConnection) throws -> State {
        let known = try connection.first(
            "SELECT number, durable FROM run_log_writers WHERE run = ? AND writer = ?",
            [.blob(run.array), .blob(writer.array)]
        ) { (number: try $0.int(0), durable: try $0.int(1)) }
        if let known {
            return State(
                number: UInt32(clamping: known.number), durable: UInt64(clamping: known.durable),
                isKnown: true)
        }
        let next = try connection.first(
            "SELECT MAX(number) FROM run_log_writers WHERE run = ?", [.blob(run.array)]
        ) { $0.isNull(0) ? 0 : try $0.int(0) + 1 }
        guard let next, next < Limits.logWriters else {
            throw LinajeError(
                .limitExceeded,
                "log of run \(run) has \(Limits.logWriters) writers already; append with one of "
                    + "them")
        }
        return State(number: UInt32(clamping: next), durable: 0, isKnown: false)
    }

    private static func stored(_ connection: any SQLConnection, _ run: RunID) throws -> LogExtent {
        try RunLogReader(connection: connection, run: run).counts()
    }

    private func store(
        _ pieces: [Piece], _ rest: UInt64, _ state: State, _ before: LogExtent,
        _ connection: any SQLConnection
    ) throws -> LogExtent {
        // Each writer counts below 2^62; what a run's writers claim together must fit as well.
        let (sum, isTooLarge) = before.end.addingReportingOverflow(end - state.durable)
        guard !isTooLarge, sum <= UInt64(Int64.max) else {
            throw LinajeError(
                .limitExceeded,
                "log of run \(run) would end past what a log can count; leave out what is missing")
        }
        var log = before
        for piece in pieces {
            log.end += piece.gap
            let (chunk, times) = (piece.chunk, piece.chunk.times)
            let (bytes, lines) = (chunk.byteCount, chunk.lineCount)
            try connection.execute(
                """
                INSERT INTO run_log_chunks (run, first_byte, bytes, first_line, lines, min_time,
                    max_time, is_full, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .blob(run.array), .integer(Int64(log.end)), .integer(Int64(bytes)),
                    .integer(Int64(log.lines)), .integer(Int64(lines)),
                    .integer(times.lowerBound), .integer(times.upperBound),
                    .bool(bytes >= LogChunk.fullBytes), .blob(piece.data),
                ])
            log.end += UInt64(bytes)
            log.bytes += UInt64(bytes)
            log.lines += UInt64(lines)
        }
        log.end += rest
        try connection.execute(
            """
            INSERT INTO run_logs (run, extent, bytes, lines) VALUES (?, ?, ?, ?)
            ON CONFLICT (run) DO UPDATE SET extent = excluded.extent, bytes = excluded.bytes,
                lines = excluded.lines
            """,
            [
                .blob(run.array), .integer(Int64(log.end)), .integer(Int64(log.bytes)),
                .integer(Int64(log.lines)),
            ])
        try connection.execute(
            state.isKnown
                ? "UPDATE run_log_writers SET durable = ? WHERE run = ? AND number = ?"
                : "INSERT INTO run_log_writers (durable, run, number, writer) VALUES (?, ?, ?, ?)",
            [.integer(Int64(end)), .blob(run.array), .integer(Int64(state.number))]
                + (state.isKnown ? [] : [.blob(writer.array)]))
        return log
    }
}
