/// A piece of a filter, with the place where it begins.
struct FilterToken: Hashable {
    enum Kind: Hashable {
        /// A keyword, a field, NaN: letters, digits and "_.-/:@".
        case word(String)
        /// A text between two of the quote, which is ', " or `.
        case quoted(String, quote: UInt8)
        case integer(Int64)
        case number(Double)
        case comparison(FilterComparison)
        case open, close, comma
        case end
    }

    var kind: Kind
    /// Bytes of the text before it, and before what follows it.
    var start: Int
    var end: Int
}

/// Cuts a filter into tokens.
struct FilterLexer {
    /// What errors call the text.
    let argument: String
    private let bytes: [UInt8]
    private var place = 0

    /// - Throws: `limitExceeded` for a text that is too long.
    init(_ text: String, argument: String) throws {
        guard text.utf8.count <= Limits.filterBytes else {
            throw LinajeError(
                .limitExceeded,
                "\(argument) has \(text.utf8.count) bytes; at most \(Limits.filterBytes) are "
                    + "allowed")
        }
        self.argument = argument
        bytes = Array(text.utf8)
    }

    /// The next token; `end` at the end, again and again.
    mutating func next() throws -> FilterToken {
        while let byte = peek(), byte == 0x20 || (0x09...0x0D).contains(byte) { place += 1 }
        let start = place
        let kind = try kind()
        return FilterToken(kind: kind, start: start, end: place)
    }

    /// An error at a place, as number of bytes before it.
    func error(
        at place: Int, _ message: String, code: LinajeError.Code = .invalidArgument
    ) -> LinajeError {
        // Scalars, as most languages count: a caret below the text stands right.
        let column = bytes.prefix(place).count { $0 & 0xC0 != 0x80 } + 1
        return LinajeError(
            code, "\(argument), column \(column): \(message)",
            details: ["argument": argument, "position": String(column)])
    }

    /// The text of a token, shortened for a message.
    func shown(_ token: FilterToken) -> String {
        guard token.kind != .end else { return "the end" }
        let piece = String(decoding: bytes[token.start..<token.end], as: UTF8.self)
        return piece.count > 40 ? "\(piece.prefix(40))…" : piece
    }

    private func peek(_ distance: Int = 0) -> UInt8? {
        place + distance < bytes.count ? bytes[place + distance] : nil
    }

    private mutating func kind() throws -> FilterToken.Kind {
        guard let byte = peek() else { return .end }
        switch byte {
        case UInt8(ascii: "("): return take(1, .open)
        case UInt8(ascii: ")"): return take(1, .close)
        case UInt8(ascii: ","): return take(1, .comma)
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): return try quoted(byte)
        case UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"):
            return try comparison(byte)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
            UInt8(ascii: "-"):
            return try number()
        case _ where Self.begins(word: byte):
            let start = place
            while let byte = peek(), Self.continues(word: byte) { place += 1 }
            return .word(String(decoding: bytes[start..<place], as: UTF8.self))
        default:
            throw error(
                at: place,
                "\"\(Character(Unicode.Scalar(byte)))\" makes no sense here; put keys with special "
                    + "characters into back-ticks and texts into quotes")
        }
    }

    private mutating func take(_ count: Int, _ kind: FilterToken.Kind) -> FilterToken.Kind {
        place += count
        return kind
    }

    private mutating func comparison(_ byte: UInt8) throws -> FilterToken.Kind {
        let second = peek(1)
        let isEqual = second == UInt8(ascii: "=")
        switch byte {
        case UInt8(ascii: "="): return take(isEqual ? 2 : 1, .comparison(.equal))
        case UInt8(ascii: "<") where second == UInt8(ascii: ">"):
            return take(2, .comparison(.notEqual))
        case UInt8(ascii: "<"):
            return take(isEqual ? 2 : 1, .comparison(isEqual ? .lessOrEqual : .less))
        case UInt8(ascii: ">"):
            return take(isEqual ? 2 : 1, .comparison(isEqual ? .greaterOrEqual : .greater))
        default:
            guard isEqual else {
                throw error(at: place, "\"!\" alone is no comparison; write != or NOT")
            }
            return take(2, .comparison(.notEqual))
        }
    }

    /// A quote inside stands twice or after a backslash, and a backslash may stand twice; any other
    /// backslash is itself, as MLflow has it.
    private mutating func quoted(_ quote: UInt8) throws -> FilterToken.Kind {
        let start = place
        let backslash = UInt8(ascii: "\\")
        var content: [UInt8] = []
        place += 1
        while let byte = peek() {
            place += 1
            if byte == quote {
                guard peek() == quote else {
                    return .quoted(String(decoding: content, as: UTF8.self), quote: quote)
                }
                place += 1
            } else if byte == backslash, let after = peek(), after == quote || after == backslash {
                content.append(after)
                place += 1
                continue
            }
            content.append(byte)
        }
        let mark = Character(Unicode.Scalar(quote))
        throw error(at: start, "text that begins here does not end; add \(mark)")
    }

    private mutating func number() throws -> FilterToken.Kind {
        let start = place
        var isWhole = true
        if let sign = peek(), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            place += 1
            if let byte = peek(), Self.begins(word: byte) { return try signedWord(start, sign) }
        }
        while let byte = peek(), Self.continues(word: byte) || byte == UInt8(ascii: "+") {
            let previous = bytes[place - (place > start ? 1 : 0)] | 0x20
            let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            if isSign, previous != UInt8(ascii: "e") { break }
            if !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { isWhole = false }
            place += 1
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .integer(value) }
        // Double also reads hexadecimal numbers and words, which are none here.
        let isDecimal = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
                UInt8(ascii: "-"), UInt8(ascii: "e"), UInt8(ascii: "E"):
                true
            default: false
            }
        }
        guard isDecimal, let value = Double(text), value.isFinite else {
            throw error(at: start, "\"\(text.prefix(40))\" is no number")
        }
        return .number(value)
    }

    /// "-inf" and its like.
    private mutating func signedWord(_ start: Int, _ sign: UInt8) throws -> FilterToken.Kind {
        let first = place
        while let byte = peek(), Self.continues(word: byte) { place += 1 }
        let word = String(decoding: bytes[first..<place], as: UTF8.self)
        guard let value = Self.namedNumber(word), !value.isNaN else {
            let text = String(decoding: bytes[start..<place], as: UTF8.self)
            throw error(at: start, "\"\(text.prefix(40))\" is no number")
        }
        return .number(sign == UInt8(ascii: "-") ? -value : value)
    }

    /// NaN or infinity, in any case.
    static func namedNumber(_ word: String) -> Double? {
        switch word.lowercased() {
        case "nan": .nan
        case "inf", "infinity": .infinity
        default: nil
        }
    }

    private static func begins(word byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func continues(word byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"):
            true
        default: begins(word: byte)
        }
    }
}
