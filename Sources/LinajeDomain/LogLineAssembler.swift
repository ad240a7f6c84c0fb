/// Puts the lines of a log together from its records, in memory that does not grow with them.
///
/// The streams of a command, and the commands of a run, write in between each other: a line is put
/// together for each writer and stream. Lines come in the order of their line feeds. A line longer
/// than `lineBytes` comes in parts, as do all that are open when they take more than `openBytes`.
public struct LogLineAssembler: Sendable {
    /// Longest line that comes in one piece.
    public static let lineBytes = 64 << 10
    /// Most bytes of lines that are not ended yet.
    public static let openBytes = 4 << 20

    private struct Key: Hashable {
        var writer: UInt32
        var stream: LogStream
    }

    private var open: [Key: LogLine] = [:]
    private var openCount = 0

    public init() {}

    /// The lines, and parts of lines, that a record completes. A record without bytes completes
    /// nothing.
    public mutating func take(_ placed: PlacedLogRecord) -> [LogLine] {
        guard case .bytes(let stream, let bytes) = placed.record.content else { return [] }
        let key = Key(writer: placed.writer, stream: stream)
        var lines: [LogLine] = []
        var number = placed.line
        var start = 0
        while start < bytes.count {
            let feed = bytes[start...].firstIndex(of: 0x0A)
            let end = min(feed ?? bytes.count, start + Self.lineBytes)
            let isWhole = end == feed
            var line =
                open[key]
                ?? LogLine(
                    number: number, offset: placed.offset + UInt64(start),
                    time: placed.record.time, stream: stream, writer: placed.writer, bytes: [],
                    isWhole: false)
            line.number = number
            line.bytes += bytes[start..<end]
            openCount += end - start
            if isWhole || line.bytes.count >= Self.lineBytes {
                line.isWhole = isWhole
                openCount -= line.bytes.count
                lines.append(line)
                open[key] = nil
            } else {
                open[key] = line
            }
            start = isWhole ? end + 1 : end
            if isWhole { number += 1 }
        }
        return openCount > Self.openBytes ? lines + finish() : lines
    }

    /// The lines that are not ended, as far as they are known, in the order of their first bytes.
    public mutating func finish() -> [LogLine] {
        defer {
            open = [:]
            openCount = 0
        }
        return open.values.sorted { $0.offset < $1.offset }
    }
}
