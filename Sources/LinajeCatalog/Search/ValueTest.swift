import LinajeDomain
import LinajePluginKit

/// Makes a condition on one column of a test. Where the column is NULL the condition is false or
/// NULL, which is the same where rows are chosen.
struct ValueTest {
    let dialect: SQLDialect

    /// A condition on the value of a metric, whose NaN is NULL.
    func metric(_ column: String, _ test: FilterTest) -> SQLText {
        switch test {
        case .compare(let comparison, .number(let value)) where value.isNaN:
            switch comparison {
            case .equal: SQLText("\(column) IS NULL")
            case .notEqual: SQLText("\(column) IS NOT NULL")
            default: .never
            }
        case .compare(.notEqual, let literal):
            SQLText("(\(column) <> ? OR \(column) IS NULL)", [value(literal)])
        case .compare(let comparison, let literal):
            SQLText("\(column) \(Self.sql(comparison)) ?", [value(literal)])
        case .oneOf(let literals, let isNegated): metric(column, literals, isNegated)
        case .like, .isNull: .never
        }
    }

    private func metric(
        _ column: String, _ literals: [FilterLiteral], _ isNegated: Bool
    ) -> SQLText {
        var numbers: [SQLValue] = []
        var hasNaN = false
        for case .number(let number) in literals {
            if number.isNaN { hasNaN = true } else { numbers.append(.real(number)) }
        }
        let list = numbers.isEmpty ? nil : placeholders(numbers.count)
        if isNegated {
            let differs = list.map { "\(column) NOT IN (\($0))" } ?? "\(column) IS NOT NULL"
            return SQLText(hasNaN ? differs : "(\(differs) OR \(column) IS NULL)", numbers)
        }
        let equals = list.map { "\(column) IN (\($0))" } ?? "1 = 0"
        return SQLText(hasNaN ? "(\(equals) OR \(column) IS NULL)" : equals, numbers)
    }

    /// A condition on a column with a kind.
    func value(_ column: String, _ kind: SearchKind, _ test: FilterTest) -> SQLText {
        switch test {
        case .compare(let comparison, let literal):
            compare(column, kind, comparison, literal)
        case .oneOf(let literals, let isNegated):
            oneOf(column, kind, literals, isNegated: isNegated)
        case .like(let pattern, let ignoresCase, let isNegated):
            like(text(column, kind), pattern, ignoresCase: ignoresCase, isNegated: isNegated)
        case .isNull(let isNegated):
            SQLText("\(column) IS \(isNegated ? "NOT " : "")NULL")
        }
    }

    /// A condition on a param: `kind` and `value` are its columns.
    func param(_ alias: String, _ test: FilterTest) -> SQLText {
        switch test {
        case .compare(let comparison, .number(let number)):
            return Self.number(alias, "\(Self.sql(comparison)) ?", [.real(number)])
        case .oneOf(let literals, let isNegated):
            let numbers = literals.compactMap { literal -> SQLValue? in
                guard case .number(let number) = literal else { return nil }
                return .real(number)
            }
            let texts = literals.filter { if case .text = $0 { true } else { false } }
            var parts: [SQLText] = []
            if !texts.isEmpty {
                parts.append(oneOf("\(alias).value", .text, texts, isNegated: false))
            }
            if !numbers.isEmpty {
                let marks = placeholders(numbers.count)
                parts.append(Self.number(alias, "IN (\(marks))", numbers))
            }
            let found = "(" + parts.joined(" OR ") + ")"
            return isNegated ? "NOT " + found : found
        default: return value("\(alias).value", .text, test)
        }
    }

    /// A param that is a finite number compares as one; anything else does not.
    private static func number(_ alias: String, _ test: String, _ arguments: [SQLValue]) -> SQLText
    {
        SQLText(
            "CASE WHEN \(alias).kind IN ('int', 'double') "
                + "AND \(alias).value NOT IN ('nan', 'inf', '-inf', '-nan') "
                + "THEN CAST(\(alias).value AS DOUBLE PRECISION) \(test) ELSE 1 = 0 END", arguments)
    }

    private func compare(
        _ column: String, _ kind: SearchKind, _ comparison: FilterComparison,
        _ literal: FilterLiteral
    ) -> SQLText {
        if case .time(let moments) = literal { return time(column, comparison, moments) }
        if case .identifier(let prefix) = kind, case .text(let text) = literal {
            return identifier(column, prefix, comparison, text)
        }
        let isOrder = comparison != .equal && comparison != .notEqual
        let bytewise = kind == .text && isOrder ? dialect.bytewise : ""
        return SQLText("\(column)\(bytewise) \(Self.sql(comparison)) ?", [value(literal)])
    }

    /// A moment as precise as it was written: milliseconds cover a thousand microseconds.
    private func time(
        _ column: String, _ comparison: FilterComparison, _ moments: ClosedRange<Int64>
    ) -> SQLText {
        let (first, last) = (moments.lowerBound, moments.upperBound)
        return switch comparison {
        case .equal: SQLText("\(column) BETWEEN ? AND ?", [.integer(first), .integer(last)])
        case .notEqual:
            SQLText("\(column) NOT BETWEEN ? AND ?", [.integer(first), .integer(last)])
        case .less: SQLText("\(column) < ?", [.integer(first)])
        case .lessOrEqual: SQLText("\(column) <= ?", [.integer(last)])
        case .greater: SQLText("\(column) > ?", [.integer(last)])
        case .greaterOrEqual: SQLText("\(column) >= ?", [.integer(first)])
        }
    }

    private func identifier(
        _ column: String, _ prefix: String, _ comparison: FilterComparison, _ text: String
    ) -> SQLText {
        if let bytes = Self.bytes(of: text, prefix) {
            return SQLText("\(column) \(Self.sql(comparison)) ?", [.blob(bytes)])
        }
        // No id is that text, but it may stand before or after one.
        let shown = self.text(column, .identifier(prefix: prefix)) + dialect.bytewise
        return SQLText("\(shown) \(Self.sql(comparison)) ?", [.text(text)])
    }

    private func oneOf(
        _ column: String, _ kind: SearchKind, _ literals: [FilterLiteral], isNegated: Bool
    ) -> SQLText {
        if kind == .time {
            let parts = literals.map { compare(column, kind, .equal, $0) }
            let any = "(" + parts.joined(" OR ") + ")"
            return isNegated ? "NOT " + any : any
        }
        var values = literals.map(value)
        if case .identifier(let prefix) = kind {
            values = literals.compactMap { literal in
                guard case .text(let text) = literal else { return nil }
                return Self.bytes(of: text, prefix).map { .blob($0) }
            }
        }
        guard !values.isEmpty else {
            return isNegated ? SQLText("\(column) IS NOT NULL") : .never
        }
        let word = isNegated ? "NOT IN" : "IN"
        return SQLText("\(column) \(word) (\(placeholders(values.count)))", values)
    }

    private func like(
        _ column: String, _ pattern: String, ignoresCase: Bool, isNegated: Bool
    ) -> SQLText {
        let negation = isNegated ? "NOT " : ""
        switch (dialect.patterns, ignoresCase) {
        case (.glob, true): return SQLText("\(column) \(negation)LIKE ?", [.text(pattern)])
        case (.glob, false):
            return SQLText("\(column) \(negation)GLOB ?", [.text(Self.glob(pattern))])
        case (.ilike, true):
            return SQLText("\(column) \(negation)ILIKE ? ESCAPE ''", [.text(pattern)])
        case (.ilike, false):
            return SQLText("\(column) \(negation)LIKE ? ESCAPE ''", [.text(pattern)])
        }
    }

    /// A value as the text that it is shown as.
    private func text(_ column: String, _ kind: SearchKind) -> String {
        switch kind {
        case .integer: "CAST(\(column) AS TEXT)"
        case .identifier(let prefix):
            (prefix.isEmpty ? "" : "'\(prefix)' || ")
                + dialect.hexadecimal.replacing("{}", with: column)
        case .number, .param, .text, .time: column
        }
    }

    private func value(_ literal: FilterLiteral) -> SQLValue {
        switch literal {
        case .text(let text): .text(text)
        case .number(let number): .real(number)
        case .integer(let number): .integer(number)
        case .time(let moments): .integer(moments.lowerBound)
        }
    }

    private static func bytes(of text: String, _ prefix: String) -> [UInt8]? {
        guard text.hasPrefix(prefix), let bytes = Hex.decode(text.dropFirst(prefix.count)),
            bytes.count == 16
        else { return nil }
        return bytes
    }

    /// A pattern of "%" and "_" as one of "*" and "?".
    private static func glob(_ pattern: String) -> String {
        var out = ""
        for scalar in pattern.unicodeScalars {
            switch scalar {
            case "%": out += "*"
            case "_": out += "?"
            case "*", "?", "[": out += "[\(scalar)]"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    static func sql(_ comparison: FilterComparison) -> String {
        comparison == .notEqual ? "<>" : comparison.rawValue
    }
}
