import LinajeDomain

/// Reads the beginning of a GGUF file, value by value, in the byte order of the file.
///
/// What is loaded may end anywhere: `GGUFCursor.Short` asks for more, and the caller begins again
/// with more of the file.
struct GGUFCursor {
    /// More of the file is needed: this many bytes from its beginning.
    struct Short: Error {
        var bytes: UInt64
    }

    private let bytes: [UInt8]
    private let file: String
    private let size: UInt64
    /// Whether numbers stand with their highest byte first.
    var isBigEndian = false
    private(set) var position = 0

    /// - Parameters:
    ///   - bytes: The beginning of the file.
    ///   - size: The size of the whole file.
    init(_ bytes: [UInt8], file: String, size: UInt64) {
        self.bytes = bytes
        self.file = file
        self.size = size
    }

    /// A number of `width` bytes, at most 8.
    mutating func number(_ width: Int) throws -> UInt64 {
        let start = position
        try skip(UInt64(width))
        var value: UInt64 = 0
        for index in 0..<width {
            value = value << 8 | UInt64(bytes[isBigEndian ? start + index : position - 1 - index])
        }
        return value
    }

    /// A text of at most `limit` bytes.
    mutating func text(limit: UInt64, _ what: String) throws -> String {
        let length = try number(8)
        guard length <= limit else {
            throw failure("has \(what) of \(length) bytes; at most \(limit) are read")
        }
        let start = position
        try skip(length)
        guard let text = String(validating: bytes[start..<position], as: UTF8.self) else {
            throw failure("has \(what) that is not UTF-8")
        }
        return text
    }

    /// Skips a text and says how long it is.
    mutating func skipText() throws -> UInt64 {
        let length = try number(8)
        try skip(length)
        return length
    }

    /// Skips `count` bytes.
    ///
    /// - Throws: `invalidArgument` when the file is not that long, `Short` when only what is loaded
    ///   is not.
    mutating func skip(_ count: UInt64) throws {
        let (end, overflow) = UInt64(position).addingReportingOverflow(count)
        guard !overflow, end <= size else {
            throw failure("ends inside a part of \(count) bytes")
        }
        guard end <= UInt64(bytes.count) else { throw Short(bytes: end) }
        position = Int(end)
    }

    /// Checks that so many bytes can be left in the file before a loop counts on it.
    func require(_ count: UInt64, each: UInt64, _ what: String) throws {
        let (total, overflow) = count.multipliedReportingOverflow(by: each)
        guard !overflow, total <= size - min(size, UInt64(position)) else {
            throw failure("says it has \(count) \(what), more than the file is long")
        }
    }

    func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(file) \(what) at byte \(position)")
    }
}
