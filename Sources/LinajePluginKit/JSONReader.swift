public import LinajeDomain

/// A strict reader of untrusted JSON (RFC 8259): it takes values one by one and builds no tree, so
/// its memory is what the caller keeps.
///
/// Stricter than the RFC where files are used to deceive: a key that stands twice in an object
/// (spellings that are canonically equivalent are one key), a lone surrogate and text that is not
/// UTF-8 are errors. Nesting is bounded.
public struct JSONReader {
    /// What kind of value comes next.
    public enum Kind: Sendable, Hashable {
        case object, array, string, number, bool, null
    }

    private let bytes: [UInt8]
    private let name: String
    private let mostDepth: Int
    private let takesNonFinite: Bool
    private var position = 0
    private var depth = 0

    /// - Parameters:
    ///   - name: What errors call the text: a file's path.
    ///   - depth: Deepest nesting of objects and arrays.
    ///   - takesNonFinite: Whether NaN, Infinity and -Infinity are numbers. They are none to the RFC, but
    ///     Python's json writes and reads them (docs.python.org, "json", "Infinite and NaN Number Values").
    public init(
        _ bytes: [UInt8], name: String, depth: Int = 64, takesNonFinite: Bool = false
    ) {
        self.bytes = bytes
        self.name = name
        self.takesNonFinite = takesNonFinite
        mostDepth = depth
    }

    /// The kind of the next value. - Throws: `invalidArgument` when none comes.
    public mutating func kind() throws -> Kind {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"): return .number
        case UInt8(ascii: "N"), UInt8(ascii: "I"):
            guard takesNonFinite else { throw failure("has no JSON value") }
            return .number
        case let byte? where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            return .number
        default: throw failure("has no JSON value")
        }
    }

    /// Takes an object. `member` gets each key and must take exactly its value from the reader.
    ///
    /// - Parameter limit: Most members.
    /// - Throws: `invalidArgument` for a key that stands twice, `limitExceeded` for more members.
    public mutating func object(
        limit: Int, _ member: (String, inout JSONReader) throws -> Void
    ) throws {
        try open(UInt8(ascii: "{"), "an object")
        var keys = KeySet()
        try elements(until: UInt8(ascii: "}"), limit: limit) { reader in
            let key = try reader.string()
            guard keys.insert(key) else {
                throw reader.failure("has the key \"\(key.prefix(80))\" twice in one object")
            }
            try reader.expect(UInt8(ascii: ":"))
            try member(key, &reader)
        }
    }

    /// Takes an array. `element` must take exactly one value from the reader each time.
    ///
    /// - Parameter limit: Most elements.
    public mutating func array(
        limit: Int, _ element: (inout JSONReader) throws -> Void
    ) throws {
        try open(UInt8(ascii: "["), "an array")
        try elements(until: UInt8(ascii: "]"), limit: limit, element)
    }

    /// Takes a string.
    public mutating func string() throws -> String {
        skipSpace()
        guard peek == UInt8(ascii: "\"") else { throw failure("has no string") }
        position += 1
        let start = position
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20
        {
            position += 1
        }
        if peek == UInt8(ascii: "\"") {
            position += 1
            return try text(of: bytes[start..<(position - 1)])
        }
        var unescaped = Array(bytes[start..<position])
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw failure("has a control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                unescaped.append(contentsOf: try escape())
            } else {
                unescaped.append(byte)
            }
        }
        guard peek != nil else { throw failure("ends inside a string") }
        position += 1
        return try text(of: unescaped[...])
    }

    /// Takes a whole number from 0 to 2^64-1, written without sign, point or exponent.
    public mutating func unsigned() throws -> UInt64 {
        guard try kind() == .number else {
            throw failure("has no number where a whole number from 0 to 2^64-1 belongs")
        }
        let start = position
        try number()
        guard let value = Self.unsigned(bytes[start..<position]) else {
            let text = String(decoding: bytes[start..<position].prefix(40), as: UTF8.self)
            throw failure("has \(text) where a whole number from 0 to 2^64-1 belongs")
        }
        return value
    }

    /// Takes true or false.
    public mutating func bool() throws -> Bool {
        guard try kind() == .bool else { throw failure("has no true or false where one belongs") }
        return try raw() == "true"
    }

    /// Takes the next value, whatever it is, and returns its text.
    @discardableResult
    public mutating func raw() throws -> String {
        skipSpace()
        let start = position
        try skip()
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Takes the next value, whatever it is, and drops it. It is checked as strictly as if it
    /// were read.
    public mutating func skip() throws {
        switch try kind() {
        case .object: try object(limit: Int.max) { _, reader in try reader.skip() }
        case .array: try array(limit: Int.max) { reader in try reader.skip() }
        case .string: _ = try string()
        case .number: try number()
        case .bool: try literal(peek == UInt8(ascii: "t") ? "true" : "false")
        case .null: try literal("null")
        }
    }

    /// Checks that nothing but white space is left.
    public mutating func finish() throws {
        skipSpace()
        guard position == bytes.count else {
            throw failure("has \(bytes.count - position) bytes after its JSON value")
        }
    }

    /// An error that names the text and the place in it.
    public func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(name) \(what) at byte \(position)")
    }

    // MARK: Parts

    /// The keys of one object. Most objects have few, and comparing those costs less than a table.
    private struct KeySet {
        private var few: [String] = []
        private var many: Set<String> = []

        /// Whether the key is new.
        mutating func insert(_ key: String) -> Bool {
            guard few.count < 8 else {
                if many.isEmpty { many = Set(few) }
                return many.insert(key).inserted
            }
            guard !few.contains(key) else { return false }
            few.append(key)
            return true
        }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            position += 1
        }
    }

    private mutating func expect(_ byte: UInt8) throws {
        skipSpace()
        guard peek == byte else {
            throw failure("has no \"\(Character(UnicodeScalar(byte)))\" where one belongs")
        }
        position += 1
    }

    private mutating func open(_ byte: UInt8, _ what: String) throws {
        skipSpace()
        guard peek == byte else { throw failure("does not have \(what) where one belongs") }
        guard depth < mostDepth else {
            throw LinajeError(
                .limitExceeded,
                "\(name) is nested more than \(mostDepth) deep at byte \(position)")
        }
        depth += 1
        position += 1
    }

    private mutating func elements(
        until end: UInt8, limit: Int, _ element: (inout JSONReader) throws -> Void
    ) throws {
        skipSpace()
        var count = 0
        while peek != end || count > 0 {
            if count > 0 {
                skipSpace()
                if peek == end { break }
                try expect(UInt8(ascii: ","))
            }
            guard count < limit else {
                throw LinajeError(
                    .limitExceeded, "\(name) has more than \(limit) entries at byte \(position)")
            }
            try element(&self)
            count += 1
        }
        position += 1
        depth -= 1
    }

    private func text(of utf8: ArraySlice<UInt8>) throws -> String {
        guard let string = String(validating: utf8, as: UTF8.self) else {
            throw failure("has a string that is not UTF-8")
        }
        return string
    }

    /// The value of digits; `nil` for anything else and past 2^64-1.
    private static func unsigned(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(UInt64(digit - 0x30))
            guard !tooLarge, !overflow else { return nil }
            value = sum
        }
        return value
    }

    /// Skips a number.
    private mutating func number() throws {
        if takesNonFinite, peek == UInt8(ascii: "N") { return try literal("NaN") }
        if peek == UInt8(ascii: "-") { position += 1 }
        if takesNonFinite, peek == UInt8(ascii: "I") { return try literal("Infinity") }
        let whole = digits()
        let leadingZero = whole > 1 && bytes[position - whole] == UInt8(ascii: "0")
        var isRight = whole > 0 && !leadingZero
        if peek == UInt8(ascii: ".") {
            position += 1
            isRight = digits() > 0 && isRight
        }
        if let byte = peek, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position += 1
            }
            isRight = digits() > 0 && isRight
        }
        guard isRight else { throw failure("has a malformed number") }
    }

    /// Skips digits and says how many there were.
    private mutating func digits() -> Int {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        return position - start
    }

    private mutating func literal(_ text: StaticString) throws {
        for index in 0..<text.utf8CodeUnitCount {
            guard peek == text.utf8Start[index] else { throw failure("has a malformed value") }
            position += 1
        }
    }

    /// The UTF-8 of the escape after a backslash.
    private mutating func escape() throws -> [UInt8] {
        guard let byte = peek else { throw failure("ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hexQuad()
            if (0xD800..<0xDC00).contains(code) {
                guard peek == UInt8(ascii: "\\"), position + 1 < bytes.count,
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw failure("has half a surrogate pair") }
                position += 2
                let low = try hexQuad()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw failure("has half a surrogate pair")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = UnicodeScalar(code) else {
                throw failure("has half a surrogate pair")
            }
            return Array(String(scalar).utf8)
        default: throw failure("has an unknown escape in a string")
        }
    }

    private mutating func hexQuad() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch peek {
            case let byte? where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
                digit = byte - UInt8(ascii: "0")
            case let byte? where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20):
                digit = (byte | 0x20) - UInt8(ascii: "a") + 10
            default: throw failure("has a malformed \\u escape")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
