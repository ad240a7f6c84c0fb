import LinajeDomain
import LinajePluginKit

/// Reads the log of one run inside a transaction: what it sees is of one moment.
struct RunLogReader {
    let connection: any SQLConnection
    let run: RunID

    /// A row of `run_log_chunks`.
    struct Row {
        var id: Int64
        var firstByte: UInt64
        var bytes: UInt64
        var firstLine: UInt64
        var chunk: LogChunk

        var end: UInt64 { firstByte + bytes }
    }

    /// Bytes of records after which a page ends, and the most chunks that it reads.
    private static let pageBytes = 256 << 10
    private static let pageChunks = 64
    static let columns = "id, first_byte, bytes, first_line, data"

    // MARK: The whole

    /// The counts, without times.
    func counts() throws -> LogExtent {
        try connection.first(
            "SELECT extent, bytes, lines FROM run_logs WHERE run = ?", [.blob(run.array)]
        ) { row in
            var extent = LogExtent()
            extent.end = UInt64(clamping: try row.int(0))
            extent.bytes = UInt64(clamping: try row.int(1))
            extent.lines = UInt64(clamping: try row.int(2))
            return extent
        } ?? LogExtent()
    }

    func extent() throws -> LogExtent {
        var extent = try counts()
        try connection.query(
            "SELECT MIN(min_time), MAX(max_time) FROM run_log_chunks WHERE run = ?",
            [.blob(run.array)]
        ) { row in
            guard !row.isNull(0) else { return }
            extent.firstTime = Timestamp(microseconds: try row.int(0))
            extent.lastTime = Timestamp(microseconds: try row.int(1))
        }
        return extent
    }

    // MARK: Pages

    func page(
        from offset: UInt64, streams: Set<LogStream>
    ) throws -> (records: [PlacedLogRecord], next: UInt64) {
        let end = try counts().end
        var out: [PlacedLogRecord] = []
        guard offset < end else { return (out, max(offset, end)) }
        var place = offset
        var bytes = 0
        for row in try rows(from: offset) {
            if row.firstByte > place {
                out.append(missing(from: place, to: row.firstByte, line: row.firstLine))
                place = row.firstByte
            }
            for record in row.placed(from: place) where Self.isWanted(record, streams) {
                out.append(record)
            }
            place = max(place, row.end)
            bytes += Int(row.bytes)
            if bytes >= Self.pageBytes { break }
        }
        // Nothing is stored after this: what the extent counts besides is missing.
        if bytes == 0 {
            out.append(missing(from: place, to: end, line: try counts().lines))
            place = end
        }
        return (out, place)
    }

    private func missing(from: UInt64, to end: UInt64, line: UInt64) -> PlacedLogRecord {
        PlacedLogRecord(
            LogRecord(time: Timestamp(microseconds: 0), .missing(end - from)), offset: from,
            line: line + 1, writer: 0)
    }

    static func isWanted(_ placed: PlacedLogRecord, _ streams: Set<LogStream>) -> Bool {
        guard !streams.isEmpty, case .bytes(let stream, _) = placed.record.content else {
            return true
        }
        return streams.contains(stream)
    }

    /// The chunk with this byte, or the next one, and those after it, as many as a page needs.
    private func rows(from offset: UInt64) throws -> [Row] {
        let before =
            try connection.first(
                "SELECT MAX(first_byte) FROM run_log_chunks WHERE run = ? AND first_byte <= ?",
                [.blob(run.array), .integer(Int64(clamping: offset))]
            ) { $0.isNull(0) ? 0 : try $0.int(0) } ?? 0
        var rows: [Row] = []
        var bytes: UInt64 = 0
        // Several queries, so that no more than a page is read.
        var next = before
        while rows.count < Self.pageChunks, bytes < UInt64(Self.pageBytes) {
            let row = try connection.first(
                """
                SELECT \(Self.columns) FROM run_log_chunks
                WHERE run = ? AND first_byte >= ? ORDER BY first_byte LIMIT 1
                """, [.blob(run.array), .integer(next)], Self.row(of: run))
            guard let row else { break }
            next = Int64(clamping: row.end)
            guard row.end > offset else { continue }
            bytes += row.bytes
            rows.append(row)
        }
        return rows
    }

    /// Reads a row, and believes it only when it is as it was written.
    static func row(of run: RunID) -> (any SQLRow) throws -> Row {
        { row in
            let id = try row.int(0)
            let bytes = try row.int(2)
            do {
                let chunk = try LogChunk(decoding: try row.blob(4))
                guard chunk.byteCount == Int(bytes) else {
                    throw LogChunk.Flaw(text: "does not hold what its row says")
                }
                return Row(
                    id: id, firstByte: UInt64(clamping: try row.int(1)),
                    bytes: UInt64(clamping: bytes), firstLine: UInt64(clamping: try row.int(3)),
                    chunk: chunk)
            } catch let flaw as LogChunk.Flaw {
                throw LinajeError(
                    .corrupt,
                    "chunk \(id) of the log of run \(run) \(flaw.text); stop the daemon and run "
                        + "linajed --recover, which puts it aside, or restore metrics.db from a copy",
                    details: ["run": "\(run)", "chunk": "\(id)"])
            }
        }
    }
}

extension RunLogReader.Row {
    /// The records from a byte of the log on; one that the byte is in the middle of is cut.
    func placed(from start: UInt64) -> [PlacedLogRecord] {
        var out: [PlacedLogRecord] = []
        var offset = firstByte
        var line = firstLine + 1
        for record in chunk.records {
            let end = offset + UInt64(record.bytes.count)
            let cut = start > offset ? Int(min(start, end) - offset) : 0
            line += record.bytes.prefix(cut).lineFeeds
            if cut < record.bytes.count {
                let rest = cut == 0 ? record.bytes : Array(record.bytes[cut...])
                out.append(
                    PlacedLogRecord(
                        LogRecord(
                            time: Timestamp(microseconds: record.time), .bytes(record.stream, rest)),
                        offset: offset + UInt64(cut), line: line, writer: record.writer))
                line += rest[...].lineFeeds
            }
            offset = end
        }
        return out
    }
}

extension ArraySlice<UInt8> {
    var lineFeeds: UInt64 { reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) } }
}
