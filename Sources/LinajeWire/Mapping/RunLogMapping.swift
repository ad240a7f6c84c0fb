import FoundationEssentials
package import LinajeDomain

extension LogStream {
    /// - Throws: `invalidArgument` for a stream that is not known.
    package init(_ message: Linaje_V1_LogStream) throws {
        switch message {
        case .stdout: self = .stdout
        case .stderr: self = .stderr
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown("stream", message.rawValue, allowed: "STDOUT or STDERR")
        }
    }

    /// The streams that are wanted; none: all.
    ///
    /// - Throws: `invalidArgument` for one that is not known.
    package static func wanted(_ messages: [Linaje_V1_LogStream]) throws -> Set<LogStream> {
        Set(try WireFields.items(messages, field: "streams", LogStream.init))
    }
}

extension Linaje_V1_LogStream {
    package init(_ stream: LogStream) {
        self = stream == .stdout ? .stdout : .stderr
    }
}

extension Linaje_V1_LogRecord {
    package init(_ record: LogRecord) {
        self.init()
        timeUs = record.time.microseconds
        switch record.content {
        case .bytes(let stream, let bytes):
            self.stream = Linaje_V1_LogStream(stream)
            data = Data(bytes)
        case .missing(let count): missing = count
        }
    }

    package init(_ placed: PlacedLogRecord) {
        self.init(placed.record)
        offset = placed.offset
        line = placed.line
        writer = placed.writer
    }
}

extension LogRecord {
    /// - Throws: `invalidArgument` for a record that is neither bytes of a stream nor a gap.
    package init(_ message: Linaje_V1_LogRecord) throws {
        let time = Timestamp(microseconds: message.timeUs)
        guard message.missing == 0 else {
            guard message.data.isEmpty else {
                throw LinajeError(
                    .invalidArgument, "record of a log has both data and missing bytes; send two")
            }
            self.init(time: time, .missing(message.missing))
            return
        }
        guard !message.data.isEmpty else {
            throw LinajeError(.invalidArgument, "record of a log has no bytes; leave it out")
        }
        self.init(time: time, .bytes(try LogStream(message.stream), Array(message.data)))
    }
}

extension PlacedLogRecord {
    /// - Throws: as for a record.
    package init(_ message: Linaje_V1_LogRecord) throws {
        self.init(
            try LogRecord(message), offset: message.offset, line: message.line,
            writer: message.writer)
    }
}

extension LogStart {
    package init(_ message: Linaje_V1_ReadRunLogRequest) {
        self =
            switch message.start {
            case .fromOffset(let offset): .offset(offset)
            case .fromLine(let line): .line(line)
            case .fromTimeUs(let time): .time(Timestamp(microseconds: time))
            case .lastLines(let lines): .last(lines)
            case nil: .offset(0)
            }
    }
}

extension Linaje_V1_ReadRunLogRequest {
    package mutating func set(_ begin: LogStart) {
        start =
            switch begin {
            case .offset(let offset): .fromOffset(offset)
            case .line(let line): .fromLine(line)
            case .time(let time): .fromTimeUs(time.microseconds)
            case .last(let lines): .lastLines(lines)
            }
    }
}

extension Linaje_V1_RunLogOpened {
    package init(_ extent: LogExtent, offset: UInt64) {
        self.init()
        self.extent = extent.end
        bytes = extent.bytes
        lines = extent.lines
        self.offset = offset
    }
}

extension Linaje_V1_LogLine {
    package init(_ line: LogLine, matches: Bool, skipped: Int) {
        self.init()
        number = line.number
        offset = line.offset
        timeUs = line.time.microseconds
        stream = Linaje_V1_LogStream(line.stream)
        writer = line.writer
        data = Data(line.bytes)
        self.matches = matches
        self.skipped = UInt64(skipped)
    }
}

extension LogLine {
    /// - Throws: `invalidArgument` for a stream that is not known.
    package init(_ message: Linaje_V1_LogLine) throws {
        self.init(
            number: message.number, offset: message.offset,
            time: Timestamp(microseconds: message.timeUs), stream: try LogStream(message.stream),
            writer: message.writer, bytes: Array(message.data), isWhole: true)
    }
}
