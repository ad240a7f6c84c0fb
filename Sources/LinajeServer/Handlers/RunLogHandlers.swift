import LinajeDomain
import LinajeRunLogs
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addRunLogs(_ service: RunLogService) {
        unary(Methods.appendRunLog) { request, _ in
            guard request.records.count <= Limits.logAppendRecords else {
                throw LinajeError(
                    .limitExceeded,
                    "append has \(request.records.count) records; at most "
                        + "\(Limits.logAppendRecords) are allowed in one: send the rest in another")
            }
            let appended = try await service.append(
                run: RunID(request.runID), writer: WriterID(request.writerID),
                offset: request.offset, request.records.map { try LogRecord($0) })
            var answer = Linaje_V1_AppendRunLogResponse()
            answer.durableOffset = appended.durable
            answer.full = appended.isFull
            return answer
        }
        stream(Methods.readRunLog) { request, _, stream in
            let run = try RunID(request.runID)
            let streams = try LogStream.wanted(request.streams)
            let (extent, offset) = try await service.open(
                run, at: LogStart(request), streams: streams)
            // Whoever follows is woken by what comes from now on.
            let wakes = request.follow ? try await service.appends(run) : nil
            try stream.respond(Linaje_V1_RunLogOpened(extent, offset: offset))
            try await stream.untilLeft {
                var reading = RunLogReading(
                    service: service, run: run, streams: streams, offset: offset)
                if let wakes {
                    for await _ in wakes { try await reading.send(to: stream) }
                }
                // What came with the end of the run, too.
                try await reading.send(to: stream)
            }
            stream.end()
        }
        stream(Methods.searchRunLog) { request, _, stream in
            let run = try RunID(request.runID)
            let streams = try LogStream.wanted(request.streams)
            var search = try RunLogSearch(
                request.text, ignoresCase: request.ignoreCase, context: Int(request.context),
                limit: Int(request.limit))
            let (extent, offset) = try await service.open(
                run, at: .offset(request.fromOffset), streams: streams)
            try stream.respond(Linaje_V1_RunLogOpened(extent, offset: offset))
            var place = offset
            while !search.isDone {
                try await stream.room()
                let (records, next) = try await service.read(run, from: place, streams: streams)
                let found = records.flatMap { search.take($0) }
                let isAtEnd = next == place
                try await stream.send(found + (isAtEnd ? search.finish() : []), more: false)
                if isAtEnd { break }
                place = next
            }
            if search.isDone { try await stream.send([], more: true) }
            stream.end()
        }
    }
}

/// How far a reader of a log is.
private struct RunLogReading: Sendable {
    let service: RunLogService
    let run: RunID
    let streams: Set<LogStream>
    var offset: UInt64

    /// Sends everything that is stored. Nothing is fetched for a client that does not read.
    mutating func send(to stream: CallStream) async throws {
        while true {
            try await stream.room()
            let (records, next) = try await service.read(run, from: offset, streams: streams)
            guard next > offset else { return }
            try await stream.send(records, next: next)
            offset = next
        }
    }
}

extension CallStream {
    /// Runs `body` until it ends or the client leaves: a log may be silent for hours, so that sending
    /// alone would not notice.
    fileprivate func untilLeft(_ body: @Sendable @escaping () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { await closed() }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Sends records in frames that fit any client's credit; each says where the next begins.
    fileprivate func send(_ records: [PlacedLogRecord], next: UInt64) async throws {
        var piece = Linaje_V1_RunLogPiece()
        var bytes = 0
        for record in records.flatMap({ $0.parts(of: Self.pieceBytes) }) {
            let size = Self.recordOverhead + Int(clamping: record.storedBytes)
            if bytes + size > Self.pieceBytes, !piece.records.isEmpty {
                piece.nextOffset = record.offset
                try await send(piece)
                piece = Linaje_V1_RunLogPiece()
                bytes = 0
            }
            piece.records.append(Linaje_V1_LogRecord(record))
            bytes += size
        }
        piece.nextOffset = next
        try await send(piece)
    }

    fileprivate func send(_ found: [RunLogSearch.Found], more: Bool) async throws {
        var lines = Linaje_V1_RunLogLines()
        var bytes = 0
        for one in found {
            lines.lines.append(
                Linaje_V1_LogLine(one.line, matches: one.isMatch, skipped: one.skipped))
            bytes += Self.recordOverhead + one.line.bytes.count
            if bytes >= Self.pieceBytes {
                try await send(lines)
                lines = Linaje_V1_RunLogLines()
                bytes = 0
            }
        }
        lines.more = more
        if more || !lines.lines.isEmpty { try await send(lines) }
    }

    /// Bytes of records in a frame, and what a record takes besides its bytes.
    private static let pieceBytes = 96 << 10
    private static let recordOverhead = 48
}

extension PlacedLogRecord {
    fileprivate var storedBytes: UInt64 {
        if case .bytes = record.content { return record.size }
        return 0
    }

    /// The record in parts of at most `most` bytes.
    fileprivate func parts(of most: Int) -> [PlacedLogRecord] {
        guard case .bytes(let stream, let bytes) = record.content, bytes.count > most else {
            return [self]
        }
        var parts: [PlacedLogRecord] = []
        var line = line
        for start in stride(from: 0, to: bytes.count, by: most) {
            let part = Array(bytes[start..<min(start + most, bytes.count)])
            parts.append(
                PlacedLogRecord(
                    LogRecord(time: record.time, .bytes(stream, part)),
                    offset: offset + UInt64(start), line: line, writer: writer))
            line += part.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
        }
        return parts
    }
}
