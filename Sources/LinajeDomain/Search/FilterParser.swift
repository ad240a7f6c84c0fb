/// Reads filters and sort keys by recursive descent; see `Filter.parse` for the grammar.
struct FilterParser {
    let schema: SearchSchema
    private var lexer: FilterLexer
    /// The token that comes next.
    private var token: FilterToken
    private var depth = 0
    private var tests = 0
    private var listValues = 0
    private var listTimes = 0
    private var patternBytes = 0

    init(_ text: String, schema: SearchSchema, argument: String) throws {
        self.schema = schema
        lexer = try FilterLexer(text, argument: argument)
        token = try lexer.next()
    }

    mutating func filter() throws -> Filter {
        guard token.kind != .end else { return .everything }
        let filter = try disjunction()
        guard token.kind == .end else {
            throw unexpected("AND, OR or the end")
        }
        return filter
    }

    mutating func sortKey() throws -> SortKey {
        let start = token
        let (field, _) = try field()
        if case .dataset = field {
            throw error(start, "lists cannot be in the order of data sets: a run has many")
        }
        var isDescending = false
        if try takeWord("DESC") {
            isDescending = true
        } else {
            _ = try takeWord("ASC")
        }
        guard token.kind == .end else { throw unexpected("ASC, DESC or the end") }
        return SortKey(field, isDescending: isDescending)
    }

    // MARK: Conditions

    private mutating func disjunction() throws -> Filter {
        var parts = [try conjunction()]
        while try takeWord("OR") { parts.append(try conjunction()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction() throws -> Filter {
        var parts = [try condition()]
        while try takeWord("AND") {
            // MLflow takes an AND with nothing after it.
            if token.kind == .end, depth == 0 { break }
            parts.append(try condition())
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func condition() throws -> Filter {
        let start = token
        if try takeWord("NOT") {
            try enter(start)
            defer { depth -= 1 }
            return .not(try condition())
        }
        guard try take(.open) else { return try test() }
        try enter(start)
        defer { depth -= 1 }
        let filter = try disjunction()
        guard try take(.close) else {
            throw unexpected("AND, OR or \")\" for the \"(\" of column \(column(of: start))")
        }
        return filter
    }

    private mutating func enter(_ start: FilterToken) throws {
        depth += 1
        guard depth <= Limits.filterDepth else {
            throw lexer.error(
                at: start.start,
                "conditions are nested deeper than \(Limits.filterDepth); write it flatter",
                code: .limitExceeded)
        }
    }

    private mutating func test() throws -> Filter {
        let start = token
        let (field, kind) = try field()
        tests += 1
        guard tests <= Limits.filterTests else {
            throw lexer.error(
                at: start.start,
                "more than \(Limits.filterTests) tests; use IN for many values of one field",
                code: .limitExceeded)
        }
        if case .comparison(let comparison) = token.kind {
            try advance()
            return .test(field, .compare(comparison, try value(kind, of: field)))
        }
        if try takeWord("IS") {
            let isNegated = try takeWord("NOT")
            guard try takeWord("NULL") else {
                throw unexpected(isNegated ? "NULL" : "NULL or NOT NULL")
            }
            return .test(field, .isNull(isNegated: isNegated))
        }
        let isNegated = try takeWord("NOT")
        if try takeWord("IN") {
            return .test(field, .oneOf(try list(kind, of: field), isNegated: isNegated))
        }
        let like = token
        let ignoresCase = isWord("ILIKE")
        if try takeWord("LIKE") || takeWord("ILIKE") {
            return .test(
                field,
                .like(
                    try pattern(kind, of: field, like), ignoresCase: ignoresCase,
                    isNegated: isNegated))
        }
        throw unexpected(
            isNegated
                ? "IN, LIKE or ILIKE"
                : "a comparison (=, !=, <, <=, >, >=, LIKE, ILIKE, IN, IS NULL) after "
                    + "\(lexer.shown(start))")
    }

    // MARK: Fields

    private mutating func field() throws -> (SearchField, SearchKind) {
        let start = token
        let field: SearchField
        switch token.kind {
        case .quoted(let name, let quote) where quote != UInt8(ascii: "'"):
            try advance()
            field = try attribute(name, start)
        case .word(let word) where !isKeyword:
            try advance()
            guard let dot = word.utf8.firstIndex(of: UInt8(ascii: ".")) else {
                field = try attribute(word, start)
                break
            }
            let qualifier = String(word[..<dot])
            let key = try key(String(word[word.index(after: dot)...]), start)
            field = try qualified(qualifier, key, start)
        case .integer, .number, .quoted:
            throw error(
                start,
                "\(lexer.shown(start)) is a value; the field stands on the left: "
                    + "metrics.loss < 0.1")
        default: throw unexpected("a field like metrics.loss, params.lr, tags.team or status")
        }
        guard let kind = schema.kind(of: field) else {
            throw error(start, "\(schema.noun) have no \(lexer.shown(start))")
        }
        return (field, kind)
    }

    /// What follows the first dot of a word: the rest of it, or a quoted key right behind.
    private mutating func key(_ rest: String, _ start: FilterToken) throws -> String {
        guard rest.isEmpty else { return rest }
        guard case .quoted(let key, let quote) = token.kind, quote != UInt8(ascii: "'"),
            token.start == start.end
        else {
            throw error(
                token.start == start.end ? token : start,
                "a key must follow \"\(lexer.shown(start))\" at once, in back-ticks if it has "
                    + "special characters")
        }
        guard !key.isEmpty else { throw error(token, "the key is empty") }
        try advance()
        return key
    }

    private func qualified(
        _ qualifier: String, _ key: String, _ start: FilterToken
    ) throws -> SearchField {
        switch qualifier.lowercased() {
        case "attribute", "attributes", "attr": return try attribute(key, start)
        case let name where schema.qualifiers.contains(name): return try attribute(key, start)
        case "metric", "metrics": return .metric(key)
        case "param", "params", "parameter", "parameters": return .param(key)
        case "tag", "tags": return .tag(key)
        case "dataset", "datasets":
            guard let attribute = DatasetAttribute(rawValue: key.lowercased()) else {
                let names = DatasetAttribute.allCases.map(\.rawValue).joined(separator: ", ")
                throw error(start, "data sets have no \"\(key.prefix(80))\"; use \(names)")
            }
            return .dataset(attribute)
        default:
            throw error(
                start,
                "\"\(qualifier.prefix(80)).\" is not known; use metrics., params., tags., "
                    + "attributes. or datasets.")
        }
    }

    private func attribute(_ name: String, _ start: FilterToken) throws -> SearchField {
        if let found = schema.attribute(named: name) { return .attribute(found.attribute) }
        let names = schema.attributes.map(\.attribute.rawValue).joined(separator: ", ")
        throw error(
            start,
            "\(schema.noun) have no attribute \"\(name.prefix(80))\"; use \(names), or put "
                + "metrics., params. or tags. before a key")
    }

    // MARK: Values

    private mutating func value(_ kind: SearchKind, of field: SearchField) throws -> FilterLiteral {
        let start = token
        if isWord("NULL") {
            throw error(start, "nothing equals NULL; write IS NULL or IS NOT NULL")
        }
        guard let literal = try literal(kind, start) else {
            throw unexpected(Self.wanted(kind))
        }
        try advance()
        return literal
    }

    private func literal(_ kind: SearchKind, _ start: FilterToken) throws -> FilterLiteral? {
        switch (kind, start.kind) {
        case (.text, .quoted(let text, let quote)), (.param, .quoted(let text, let quote)),
            (.identifier, .quoted(let text, let quote)):
            return quote == UInt8(ascii: "`") ? nil : .text(text)
        case (.number, .integer(let value)), (.param, .integer(let value)):
            return .number(Double(value))
        case (.number, .number(let value)): return .number(value)
        case (.param, .number(let value)) where value.isFinite: return .number(value)
        case (.number, .word(let word)): return FilterLexer.namedNumber(word).map { .number($0) }
        case (.integer, .integer(let value)): return .integer(value)
        case (.integer, .number(let value)) where value.isFinite: return .number(value)
        case (.integer, .quoted(let text, let quote)) where quote != UInt8(ascii: "`"):
            return Int64(text).map { .integer($0) }
        case (.time, .integer(let milliseconds)):
            let (first, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
            guard !overflow, first <= Int64.max - 999 else {
                throw error(start, "\(milliseconds) ms is no moment that can be compared")
            }
            return .time(first...first + 999)
        case (.time, .number(let milliseconds)):
            guard let exact = Int64(exactly: (milliseconds * 1_000).rounded()) else {
                throw error(start, "\(milliseconds) ms is no moment that can be compared")
            }
            return .time(exact...exact)
        case (.time, .quoted(let text, let quote)) where quote != UInt8(ascii: "`"):
            guard let moment = Timestamp(text: text) else { return nil }
            return .time(moment.microseconds...moment.microseconds)
        default: return nil
        }
    }

    private static func wanted(_ kind: SearchKind) -> String {
        switch kind {
        case .number: "a number without quotes, NaN or inf"
        case .param: "a text in quotes, or a number"
        case .text: "a text in quotes"
        case .identifier(let prefix):
            "an id in quotes: '\(prefix)0123456789abcdef0123456789abcdef'"
        case .integer: "a whole number"
        case .time: "milliseconds since 1970, or a date: '2026-01-31', '2026-01-31T09:30:00Z'"
        }
    }

    private mutating func list(
        _ kind: SearchKind, of field: SearchField
    ) throws -> [FilterLiteral] {
        let opening = token
        guard try take(.open) else { throw unexpected("\"(\" and a list of values") }
        var values: [FilterLiteral] = []
        repeat {
            // A comma may stand behind the last value, as in the lists that MLflow reads.
            if token.kind == .close, !values.isEmpty { break }
            listValues += 1
            guard listValues <= Limits.filterListValues else {
                throw lexer.error(
                    at: token.start,
                    "lists have more than \(Limits.filterListValues) values; ask in several "
                        + "searches", code: .limitExceeded)
            }
            if kind == .time { listTimes += 1 }
            guard listTimes <= Limits.filterListTimes else {
                throw lexer.error(
                    at: token.start,
                    "lists have more than \(Limits.filterListTimes) times; ask for a range, or in "
                        + "several searches", code: .limitExceeded)
            }
            values.append(try value(kind, of: field))
        } while try take(.comma)
        guard try take(.close) else {
            throw unexpected("\",\" or \")\" for the \"(\" of column \(column(of: opening))")
        }
        return values
    }

    private mutating func pattern(
        _ kind: SearchKind, of field: SearchField, _ like: FilterToken
    ) throws -> String {
        if kind == .number || kind == .time {
            throw error(
                like,
                "\(lexer.shown(like)) is for texts; compare numbers and times with "
                    + "=, !=, <, <=, > or >=")
        }
        guard case .quoted(let pattern, let quote) = token.kind, quote != UInt8(ascii: "`") else {
            throw unexpected("a pattern in quotes, % for any text")
        }
        guard pattern.utf8.count <= Limits.filterPatternBytes else {
            throw lexer.error(
                at: token.start,
                "the pattern has \(pattern.utf8.count) bytes; at most "
                    + "\(Limits.filterPatternBytes) are allowed", code: .limitExceeded)
        }
        patternBytes += pattern.utf8.count
        guard patternBytes <= Limits.filterPatternsBytes else {
            throw lexer.error(
                at: token.start,
                "the patterns have more than \(Limits.filterPatternsBytes) bytes together; use "
                    + "fewer or shorter ones", code: .limitExceeded)
        }
        try advance()
        return pattern
    }

    // MARK: Tokens

    private mutating func advance() throws { token = try lexer.next() }

    /// Takes the next token if it is this one.
    private mutating func take(_ kind: FilterToken.Kind) throws -> Bool {
        guard token.kind == kind else { return false }
        try advance()
        return true
    }

    private mutating func takeWord(_ keyword: String) throws -> Bool {
        guard isWord(keyword) else { return false }
        try advance()
        return true
    }

    private func isWord(_ keyword: String) -> Bool {
        guard case .word(let word) = token.kind else { return false }
        return word.utf8.count == keyword.utf8.count && word.uppercased() == keyword
    }

    /// Whether the next token is a word of the language and no field.
    private var isKeyword: Bool {
        ["AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "IS", "NULL"].contains(where: isWord)
    }

    private func column(of token: FilterToken) -> String {
        lexer.error(at: token.start, "").details["position"] ?? ""
    }

    private func error(_ token: FilterToken, _ message: String) -> LinajeError {
        lexer.error(at: token.start, message)
    }

    /// The next token is not what must come.
    private func unexpected(_ wanted: String) -> LinajeError {
        lexer.error(at: token.start, "found \(lexer.shown(token)) where \(wanted) must stand")
    }
}
