import LinajeDomain
import LinajePluginKit

extension RunLogReader {
    /// Where a start is.
    func offset(of start: LogStart, streams: Set<LogStream>) throws -> UInt64 {
        switch start {
        case .offset(let offset): return min(offset, try counts().end)
        case .line(let line): return try offset(ofLine: line)
        case .time(let time): return try offset(of: time)
        case .last(let lines): return try offset(ofLast: lines, streams)
        }
    }

    /// The byte after the line feed before a line; the end for a line that is not there yet.
    private func offset(ofLine line: UInt64) throws -> UInt64 {
        guard line > 1 else { return 0 }
        let feeds = line - 1
        let row = try connection.first(
            """
            SELECT \(Self.columns) FROM run_log_chunks
            WHERE run = ? AND first_line < ? ORDER BY first_byte DESC LIMIT 1
            """, [.blob(run.array), .integer(Int64(clamping: feeds))], Self.row(of: run))
        guard let row else { return 0 }
        var left = feeds - row.firstLine
        var offset = row.firstByte
        for record in row.chunk.records {
            for byte in record.bytes {
                offset += 1
                guard byte == 0x0A else { continue }
                left -= 1
                if left == 0 { return offset }
            }
        }
        return try counts().end
    }

    private func offset(of time: Timestamp) throws -> UInt64 {
        let row = try connection.first(
            """
            SELECT \(Self.columns) FROM run_log_chunks
            WHERE run = ? AND max_time >= ? ORDER BY first_byte LIMIT 1
            """, [.blob(run.array), .integer(time.microseconds)], Self.row(of: run))
        guard let row else { return try counts().end }
        return row.placed(from: 0).first { $0.record.time >= time }?.offset ?? row.firstByte
    }

    /// Goes back from the end until enough lines have been seen; a line that has no line feed yet
    /// counts as one.
    private func offset(ofLast lines: UInt64, _ streams: Set<LogStream>) throws -> UInt64 {
        guard lines <= UInt64(Limits.logSearchLines) else {
            throw LinajeError(
                .limitExceeded,
                "the last \(lines) lines are too many; ask for at most \(Limits.logSearchLines), "
                    + "or begin at a line")
        }
        let end = try counts().end
        guard lines > 0 else { return end }
        var before = end
        var feeds: UInt64 = 0
        var isAtEnd = true
        while let row = try row(before: before) {
            for record in row.placed(from: 0).reversed()
            where Self.isWanted(record, streams) {
                guard case .bytes(_, let bytes) = record.record.content else { continue }
                for (index, byte) in bytes.enumerated().reversed() {
                    // The line feed that ends the last line begins no other.
                    if byte == 0x0A, !isAtEnd { feeds += 1 }
                    isAtEnd = false
                    if feeds == lines { return record.offset + UInt64(index) + 1 }
                }
            }
            before = row.firstByte
        }
        return 0
    }

    private func row(before offset: UInt64) throws -> Row? {
        try connection.first(
            """
            SELECT \(Self.columns) FROM run_log_chunks
            WHERE run = ? AND first_byte < ? ORDER BY first_byte DESC LIMIT 1
            """, [.blob(run.array), .integer(Int64(clamping: offset))], Self.row(of: run))
    }
}
