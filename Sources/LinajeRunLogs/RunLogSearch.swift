import Glibc
package import LinajeDomain

/// Looks for a text in the lines of a log, part by part, in memory that does not grow with the log.
///
/// There are no regular expressions: the engines at hand go back and forth over a line for as long as
/// the expression likes.
package struct RunLogSearch: Sendable {
    /// A line that was found, or one near it.
    package struct Found: Sendable, Hashable {
        package var line: LogLine
        package var isMatch: Bool
        /// Bytes of the line before those that are shown.
        package var skipped: Int
    }

    /// Bytes of a line too long for one piece that a text may still begin in.
    private struct Key: Hashable {
        var writer: UInt32
        var stream: LogStream
    }

    private let needle: [UInt8]
    private let folding: Folding
    private let context: Int
    private var left: Int
    private var lines = LogLineAssembler()
    /// The last lines that were not shown, as many as stand before a match.
    private var before: [Found] = []
    /// How many lines after a match are still to be shown.
    private var after = 0
    private var ends: [Key: [UInt8]] = [:]

    private enum Folding {
        case none
        /// The text is ASCII: letters are told by a bit.
        case ascii
        case unicode(String)
    }

    /// - Parameters:
    ///   - context: lines to show before and after each match.
    ///   - limit: matches to find; 0 stands for 1,000.
    /// - Throws: `invalidArgument` for a text that no line can have, `limitExceeded`.
    package init(_ text: String, ignoresCase: Bool, context: Int, limit: Int) throws {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, !bytes.contains(0x0A) else {
            throw LinajeError(
                .invalidArgument,
                "a log is searched for a text of one line; give at least a character")
        }
        guard bytes.count <= Limits.logSearchBytes else {
            throw LinajeError(
                .limitExceeded,
                "text to look for has \(bytes.count) bytes; at most \(Limits.logSearchBytes) are "
                    + "allowed")
        }
        guard (0...Limits.logContextLines).contains(context) else {
            throw LinajeError(
                .limitExceeded,
                "\(context) lines around each are too many; at most \(Limits.logContextLines) are "
                    + "shown")
        }
        guard (0...Limits.logSearchLines).contains(limit) else {
            throw LinajeError(
                .limitExceeded, "at most \(Limits.logSearchLines) lines are found, not \(limit)")
        }
        if !ignoresCase {
            (needle, folding) = (bytes, .none)
        } else if bytes.allSatisfy({ $0 < 0x80 }) {
            (needle, folding) = (bytes.map(Self.lowercased), .ascii)
        } else {
            (needle, folding) = (bytes, .unicode(text.lowercased()))
        }
        self.context = context
        left = limit == 0 ? 1_000 : limit
    }

    /// Whether as many lines were found as are wanted, and all around them.
    package var isDone: Bool { left == 0 && after == 0 }

    /// What a record of the log adds, in order.
    package mutating func take(_ record: PlacedLogRecord) -> [Found] {
        lines.take(record).flatMap { look(at: $0) }
    }

    /// What the lines that are not ended add.
    package mutating func finish() -> [Found] { lines.finish().flatMap { look(at: $0) } }

    private mutating func look(at line: LogLine) -> [Found] {
        guard !isDone else { return [] }
        let key = Key(writer: line.writer, stream: line.stream)
        let carried = ends.removeValue(forKey: key) ?? []
        if !line.isWhole { ends[key] = Array((carried + line.bytes).suffix(needle.count - 1)) }
        guard left > 0, let place = place(in: carried + line.bytes) else {
            return passed(line)
        }
        left -= 1
        after = context
        defer { before = [] }
        return before + [Self.excerpt(line, around: max(0, place - carried.count), isMatch: true)]
    }

    /// A line without the text: shown after a match, else kept in case that one follows.
    private mutating func passed(_ line: LogLine) -> [Found] {
        let found = Self.excerpt(line, around: 0, isMatch: false)
        if after > 0 {
            after -= 1
            return [found]
        }
        guard context > 0 else { return [] }
        before.append(found)
        if before.count > context { before.removeFirst() }
        return []
    }

    private static func excerpt(_ line: LogLine, around place: Int, isMatch: Bool) -> Found {
        let most = Limits.logLineExcerptBytes
        guard line.bytes.count > most else {
            return Found(line: line, isMatch: isMatch, skipped: 0)
        }
        let start = min(max(0, place - most / 4), line.bytes.count - most)
        var cut = line
        cut.bytes = Array(line.bytes[start..<start + most])
        return Found(line: cut, isMatch: isMatch, skipped: start)
    }

    // MARK: Text

    private func place(in bytes: [UInt8]) -> Int? {
        switch folding {
        case .none: return Self.find(needle, in: bytes)
        case .ascii: return Self.find(needle, in: bytes.map(Self.lowercased))
        case .unicode(let text):
            let line = String(decoding: bytes, as: UTF8.self).lowercased()
            return Self.find(Array(text.utf8), in: Array(line.utf8)).map { min($0, bytes.count) }
        }
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { line in
            needle.withUnsafeBytes { text in
                guard let start = line.baseAddress, let text = text.baseAddress else { return nil }
                var place = 0
                while place <= line.count - needle.count,
                    let first = memchr(
                        start + place, Int32(needle[0]), line.count - needle.count - place + 1)
                {
                    place = UnsafeRawPointer(first) - start
                    if memcmp(start + place, text, needle.count) == 0 { return place }
                    place += 1
                }
                return nil
            }
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
