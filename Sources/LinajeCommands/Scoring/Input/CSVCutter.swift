import LinajeDomain

/// Cuts a CSV file (RFC 4180) into rows as its bytes come. Lines end with LF, CRLF or CR before LF;
/// empty ones are passed over; a mark of byte order at the beginning is, too.
///
/// A row's fields stand one after the other in one array, so that millions of them cost no array
/// each.
struct CSVCutter {
    /// The fields of a row, without their quotes.
    struct Row {
        fileprivate(set) var bytes: [UInt8] = []
        /// Where each field ends in `bytes`.
        fileprivate(set) var ends: [Int] = []
        /// The line on which it begins, from 1.
        fileprivate(set) var line = 1

        var count: Int { ends.count }

        subscript(field: Int) -> ArraySlice<UInt8> {
            bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]]
        }

        /// - Throws: `invalidArgument` for a field that is not UTF-8.
        func text(_ field: Int) throws -> String {
            guard let text = String(validating: self[field], as: UTF8.self) else {
                throw LinajeError(
                    .invalidArgument, "CSV line \(line): field \(field + 1) is not UTF-8")
            }
            return text
        }
    }

    private enum Place {
        case start, plain, quoted, afterQuote
    }

    /// Longest row in bytes, unless another is said.
    static let mostRowBytes = 4 << 20
    /// Most fields of a row.
    static let mostFields = 100_000

    private let rowBytes: Int
    private var row = Row()
    private var place = Place.start
    private var line = 1
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    /// Bytes of the mark of byte order that have come; all: it has, or will not.
    private var marked = 0

    init(rowBytes: Int = mostRowBytes) { self.rowBytes = rowBytes }

    /// Takes in more bytes. `body` gets each row that is whole.
    ///
    /// - Throws: `invalidArgument` or `limitExceeded` naming the line; what `body` throws.
    mutating func take(
        _ bytes: some Collection<UInt8>, _ body: (borrowing Row) throws -> Void
    ) throws {
        for byte in bytes {
            if marked < Self.mark.count {
                if byte == Self.mark[marked] {
                    marked += 1
                    continue
                }
                try endMark(body)
            }
            try take(byte, body)
        }
    }

    /// What looked like the mark was none.
    private mutating func endMark(_ body: (borrowing Row) throws -> Void) throws {
        guard marked < Self.mark.count else { return }
        let passed = Self.mark.prefix(marked)
        marked = Self.mark.count
        for byte in passed { try take(byte, body) }
    }

    /// The file is over.
    mutating func finish(_ body: (borrowing Row) throws -> Void) throws {
        try endMark(body)
        guard place != .quoted else { throw wrong("has a quoted field without its closing quote") }
        if place != .start || !row.ends.isEmpty { try endRow(body) }
    }

    private mutating func take(_ byte: UInt8, _ body: (borrowing Row) throws -> Void) throws {
        switch byte {
        case UInt8(ascii: "\"") where place == .start: place = .quoted
        case UInt8(ascii: "\"") where place == .quoted: place = .afterQuote
        case UInt8(ascii: "\"") where place == .afterQuote:
            try append(byte)
            place = .quoted
        case _ where place == .quoted:
            if byte == 0x0A { line += 1 }
            try append(byte)
        case UInt8(ascii: ","): try endField()
        case 0x0A:
            try endRow(body)
            line += 1
            row.line = line
        case 0x0D where place == .afterQuote: break
        case _ where place == .afterQuote:
            throw wrong("has a field that goes on after its closing quote; double the quote")
        default:
            place = .plain
            try append(byte)
        }
    }

    private mutating func append(_ byte: UInt8) throws {
        guard row.bytes.count < rowBytes else {
            throw LinajeError(
                .limitExceeded,
                "CSV line \(row.line) begins a row of more than \(rowBytes) bytes")
        }
        row.bytes.append(byte)
    }

    private mutating func endField() throws {
        guard row.ends.count < Self.mostFields else {
            throw LinajeError(
                .limitExceeded, "CSV line \(row.line) has more than \(Self.mostFields) fields")
        }
        row.ends.append(row.bytes.count)
        place = .start
    }

    private mutating func endRow(_ body: (borrowing Row) throws -> Void) throws {
        if place == .plain, row.bytes.last == 0x0D { row.bytes.removeLast() }
        let isEmpty = row.ends.isEmpty && row.bytes.isEmpty && place != .afterQuote
        try endField()
        if !isEmpty { try body(row) }
        row.bytes.removeAll(keepingCapacity: true)
        row.ends.removeAll(keepingCapacity: true)
    }

    private func wrong(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "CSV line \(row.line) \(what)")
    }
}
