import LinajeDomain

/// Cuts the bytes of a CSV file (RFC 4180) into rows, as they come. Lines end with LF or CRLF; empty
/// ones are passed over.
struct CSVReader: Sendable {
    /// A field of a row, and where it begins.
    struct Field: Sendable {
        var bytes: [UInt8] = []
        var line: Int
        var column: Int
    }

    private enum Place {
        case start, plain, quoted, afterQuote
    }

    /// Longest row in bytes.
    static let rowBytes = 64 << 10

    private var row: [Field] = []
    private var field = Field(line: 1, column: 1)
    private var place = Place.start
    private var line = 1
    private var column = 1
    private var size = 0
    private var endsWithReturn = false

    /// Takes in more bytes.
    ///
    /// - Throws: what is wrong and where; what `body` throws.
    mutating func take(_ bytes: [UInt8], _ body: ([Field]) throws -> Void) throws {
        for byte in bytes { try take(byte, body) }
    }

    /// The file is over.
    mutating func finish(_ body: ([Field]) throws -> Void) throws {
        guard place != .quoted else {
            throw wrongPoint(
                line: field.line, column: field.column, "quoted field has no closing quote")
        }
        try endRow(body)
    }

    private mutating func take(_ byte: UInt8, _ body: ([Field]) throws -> Void) throws {
        size += 1
        guard size <= Self.rowBytes else {
            throw wrongPoint(
                line: line, column: column, "row is longer than \(Self.rowBytes) bytes")
        }
        switch (byte, place) {
        case (UInt8(ascii: "\""), .start): place = .quoted
        case (UInt8(ascii: "\""), .quoted): place = .afterQuote
        case (UInt8(ascii: "\""), .afterQuote):
            field.bytes.append(byte)
            place = .quoted
        case (UInt8(ascii: ","), .start), (UInt8(ascii: ","), .plain),
            (UInt8(ascii: ","), .afterQuote):
            endField(at: column + 1)
        case (0x0A, .start), (0x0A, .plain), (0x0A, .afterQuote):
            if place == .plain, field.bytes.last == 0x0D { field.bytes.removeLast() }
            try endRow(body)
            line += 1
            column = 0
            field = Field(line: line, column: 1)
        case (0x0D, .afterQuote): break
        case (_, .afterQuote):
            throw wrongPoint(
                line: line, column: column, "field goes on after its closing quote; double it")
        default:
            if place == .start { place = .plain }
            field.bytes.append(byte)
            if byte == 0x0A {
                line += 1
                column = 0
            }
        }
        // Characters, not bytes.
        if byte & 0xC0 != 0x80 { column += 1 }
    }

    private mutating func endField(at column: Int) {
        row.append(field)
        field = Field(line: line, column: column)
        place = .start
    }

    private mutating func endRow(_ body: ([Field]) throws -> Void) throws {
        endField(at: 1)
        size = 0
        defer { row.removeAll(keepingCapacity: true) }
        let isBlank = row.count == 1 && (row[0].bytes.isEmpty || row[0].bytes == [0x0D])
        if !isBlank { try body(row) }
    }
}
