public import LinajeDomain
import LinajeTransport
import LinajeWire

/// A part of a run's log.
public struct LogPart: Sendable, Hashable {
    public var records: [PlacedLogRecord]
    /// Where the next part begins; reading on from there after a broken connection misses nothing and
    /// repeats nothing.
    public var nextOffset: UInt64
}

/// The log of a run, as it comes. One task reads it.
public struct LogReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_RunLogOpened>
    /// What the log was when the reading began.
    public let extent: LogExtent
    /// Where reading begins.
    public let offset: UInt64

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_RunLogOpened>

        /// The next part; `nil` after the last.
        public mutating func next() async throws -> LogPart? {
            guard let payload = try await stream.next() else { return nil }
            let message = try Linaje_V1_RunLogPiece(payload: payload)
            return LogPart(
                records: try message.records.map { try PlacedLogRecord($0) },
                nextOffset: message.nextOffset)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

/// A line that a search of a log found, or one near it.
public struct LogMatch: Sendable, Hashable {
    public var line: LogLine
    /// Whether it has the text.
    public var isMatch: Bool
    /// Bytes of the line before those that are given.
    public var skipped: UInt64
}

/// What a search of a log finds, as it comes. One task reads it.
public struct LogSearch: Sendable, AsyncSequence {
    /// Lines in the order of the log.
    public struct Part: Sendable {
        public var lines: [LogMatch]
        /// Whether the search stopped at its limit.
        public var hasMore: Bool
    }

    let stream: ClientStream<Linaje_V1_RunLogOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_RunLogOpened>

        /// The next lines; `nil` after the last.
        public mutating func next() async throws -> Part? {
            guard let payload = try await stream.next() else { return nil }
            let message = try Linaje_V1_RunLogLines(payload: payload)
            return Part(
                lines: try message.lines.map {
                    LogMatch(line: try LogLine($0), isMatch: $0.matches, skipped: $0.skipped)
                }, hasMore: message.more)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Appends to the log of a run. What the daemon has of it already is not stored twice, however it
    /// is cut, so a call whose answer was lost is simply made again.
    ///
    /// - Parameters:
    ///   - writer: names who counts.
    ///   - offset: bytes of this writer before the first record, missing ones too.
    /// - Returns: how many bytes of the writer are durable, and whether the log takes no more.
    /// - Throws: `failedPrecondition` with the detail `durable_offset` for an offset past that.
    public func appendLog(
        of run: RunID, writer: WriterID, offset: UInt64, _ records: [LogRecord]
    ) async throws -> (durable: UInt64, isFull: Bool) {
        var request = Linaje_V1_AppendRunLogRequest()
        request.runID = run.data
        request.writerID = writer.data
        request.offset = offset
        request.records = records.map { Linaje_V1_LogRecord($0) }
        let answer = try await call(Methods.appendRunLog, request)
        return (answer.durableOffset, answer.full)
    }

    /// Reads the log of a run.
    ///
    /// - Parameters:
    ///   - streams: none: all.
    ///   - follow: whether to go on with what becomes durable until the run ends.
    public func log(
        of run: RunID, from start: LogStart = .offset(0), streams: Set<LogStream> = [],
        follow: Bool = false
    ) async throws -> LogReading {
        var request = Linaje_V1_ReadRunLogRequest()
        request.runID = run.data
        request.set(start)
        request.streams = streams.map { Linaje_V1_LogStream($0) }
        request.follow = follow
        let wanted = request
        return try await retrying {
            let stream = try await self.connections.connection().open(Methods.readRunLog, wanted)
            let opened = try await stream.response()
            return LogReading(
                stream: stream, extent: LogExtent(opened), offset: opened.offset)
        }
    }

    /// Looks for a text in the lines of a run's log.
    ///
    /// - Parameters:
    ///   - context: how many lines around each are wanted, too.
    ///   - limit: the most lines with the text; 0: 1,000.
    public func searchLog(
        of run: RunID, for text: String, ignoresCase: Bool = false,
        streams: Set<LogStream> = [], from offset: UInt64 = 0, context: Int = 0, limit: Int = 0
    ) async throws -> LogSearch {
        var request = Linaje_V1_SearchRunLogRequest()
        request.runID = run.data
        request.text = text
        request.ignoreCase = ignoresCase
        request.streams = streams.map { Linaje_V1_LogStream($0) }
        request.fromOffset = offset
        request.context = UInt32(clamping: context)
        request.limit = UInt32(clamping: limit)
        let wanted = request
        return try await retrying {
            let stream = try await self.connections.connection().open(
                Methods.searchRunLog, wanted)
            _ = try await stream.response()
            return LogSearch(stream: stream)
        }
    }
}

extension LogExtent {
    fileprivate init(_ message: Linaje_V1_RunLogOpened) {
        self.init()
        end = message.extent
        bytes = message.bytes
        lines = message.lines
    }
}
