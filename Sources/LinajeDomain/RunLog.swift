/// Which output of a command a part of its run's log came from.
public enum LogStream: UInt8, Sendable, Hashable, CaseIterable {
    case stdout = 1
    case stderr = 2

    /// "stdout" or "stderr".
    public var name: String { self == .stdout ? "stdout" : "stderr" }
}

/// Bytes that a command wrote, or a note of bytes that are not there.
public struct LogRecord: Sendable, Hashable {
    /// What it is about.
    public enum Content: Sendable, Hashable {
        case bytes(LogStream, [UInt8])
        /// So many bytes were dropped: a full spool, a full log, damage.
        case missing(UInt64)
    }

    /// When it was written.
    public var time: Timestamp
    public var content: Content

    public init(time: Timestamp, _ content: Content) {
        self.time = time
        self.content = content
    }

    /// How many of its writer's bytes it stands for.
    public var size: UInt64 {
        switch content {
        case .bytes(_, let bytes): UInt64(bytes.count)
        case .missing(let count): count
        }
    }

    /// The rest after its first bytes; there must be a rest.
    public func dropping(_ count: UInt64) -> LogRecord {
        precondition(count < size, "nothing would be left of the record")
        return switch content {
        case .bytes(let stream, let bytes):
            LogRecord(time: time, .bytes(stream, Array(bytes.dropFirst(Int(count)))))
        case .missing(let size): LogRecord(time: time, .missing(size - count))
        }
    }
}

/// A record where it stands in the log of its run.
public struct PlacedLogRecord: Sendable, Hashable {
    public var record: LogRecord
    /// Bytes of the log before it, missing ones too.
    public var offset: UInt64
    /// The number of the line that its first byte is in, from 1: line feeds before it, plus 1.
    public var line: UInt64
    /// Which of the run's writers it is from, from 0 in the order they came.
    public var writer: UInt32

    public init(_ record: LogRecord, offset: UInt64, line: UInt64, writer: UInt32) {
        self.record = record
        self.offset = offset
        self.line = line
        self.writer = writer
    }
}

/// What is known of a run's log at once.
public struct LogExtent: Sendable, Hashable {
    /// Where its next byte goes: the bytes it has and those that are missing.
    public var end: UInt64 = 0
    /// Bytes that it has.
    public var bytes: UInt64 = 0
    /// Line feeds among them.
    public var lines: UInt64 = 0
    /// The earliest and the latest moment in it; `nil` for a log without bytes.
    public var firstTime: Timestamp?
    public var lastTime: Timestamp?

    public init() {}
}

/// Where reading a log begins.
public enum LogStart: Sendable, Hashable {
    case offset(UInt64)
    /// A line's number, from 1.
    case line(UInt64)
    /// The first record of that moment or after it.
    case time(Timestamp)
    /// So many lines before the end.
    case last(UInt64)
}

/// A line of a log: what one writer wrote to one stream up to a line feed, without it.
public struct LogLine: Sendable, Hashable {
    /// From 1, in the order of the line feeds; the number of the next one for a line without.
    public var number: UInt64
    /// Where in the log its first byte is.
    public var offset: UInt64
    /// When its first byte was written.
    public var time: Timestamp
    public var stream: LogStream
    public var writer: UInt32
    public var bytes: [UInt8]
    /// Whether its line feed was seen; else it is a part of a line too long, or not ended yet.
    public var isWhole: Bool

    public init(
        number: UInt64, offset: UInt64, time: Timestamp, stream: LogStream, writer: UInt32,
        bytes: [UInt8], isWhole: Bool
    ) {
        self.number = number
        self.offset = offset
        self.time = time
        self.stream = stream
        self.writer = writer
        self.bytes = bytes
        self.isWhole = isWhole
    }
}
