/// A condition on runs, experiments, models or data sets, as `Filter.parse` reads it.
///
/// A test on a value that is missing is false, whatever it asks; `not` inverts the answer. So
/// `metrics.x != 3` finds no run without x, and `NOT metrics.x = 3` finds them.
public indirect enum Filter: Sendable, Hashable {
    /// All of them hold; none: everything is found.
    case all([Filter])
    /// At least one of them holds.
    case any([Filter])
    case not(Filter)
    case test(SearchField, FilterTest)
}

/// What a test looks at.
public enum SearchField: Sendable, Hashable {
    /// The last value of a metric of a run, or of what was logged about a logged model.
    case metric(String)
    case param(String)
    case tag(String)
    case attribute(SearchAttribute)
    /// Of any data set of the run.
    case dataset(DatasetAttribute)
}

/// What is asked of a value.
public enum FilterTest: Sendable, Hashable {
    case compare(FilterComparison, FilterLiteral)
    /// The value is one of these; negated: it is there and is none of them.
    case oneOf([FilterLiteral], isNegated: Bool)
    /// "%" stands for any text, "_" for one character. Ignoring case is about A to Z only.
    case like(String, ignoresCase: Bool, isNegated: Bool)
    /// The value is missing; negated: it is there.
    case isNull(isNegated: Bool)
}

/// How two values compare. Texts compare by the bytes of their UTF-8.
public enum FilterComparison: String, Sendable, Hashable, CaseIterable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

/// A value that a filter names.
public enum FilterLiteral: Sendable, Hashable {
    case text(String)
    /// NaN and infinities are values of metrics: NaN equals NaN here, differs from everything else,
    /// and is neither less nor greater than anything.
    case number(Double)
    case integer(Int64)
    /// A moment as precise as it was written: the first and the last microsecond of it. Milliseconds
    /// cover a thousand.
    case time(ClosedRange<Int64>)
}

/// A part of the order of a list.
///
/// Whatever the direction, values come before NaN and NaN before what is missing.
public struct SortKey: Sendable, Hashable {
    public var field: SearchField
    public var isDescending: Bool

    public init(_ field: SearchField, isDescending: Bool = false) {
        self.field = field
        self.isDescending = isDescending
    }
}

extension Filter {
    /// Everything.
    public static let everything = Filter.all([])

    /// Reads a filter; an empty text finds everything.
    ///
    /// ```
    /// filter = or                      or   = and ("OR" and)…        and = not ("AND" not)…
    /// not    = "NOT" not | "(" or ")" | field test
    /// test   = ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
    ///        | ["NOT"] "IN" "(" value ("," value)… ")"
    ///        | ["NOT"] ("LIKE" | "ILIKE") text
    ///        | "IS" ["NOT"] "NULL"
    /// field  = ("metrics" | "params" | "tags" | "attributes" | "datasets") "." key | attribute
    /// value  = number | "NaN" | ["+" | "-"] "inf" | 'text' | "text"
    /// ```
    /// Keys with other characters than letters, digits and "_.-/:@" stand in back-ticks or double
    /// quotes. A quote is written twice inside a text, or after a backslash. This is a superset of
    /// what MLflow's searches take.
    ///
    /// - Throws: `invalidArgument`, `limitExceeded` with the column in the message and, from 1 and
    ///   counted in Unicode scalars, in the detail "position".
    public static func parse(_ text: String, for schema: SearchSchema) throws -> Filter {
        var parser = try FilterParser(text, schema: schema, argument: "filter")
        return try parser.filter()
    }
}

extension SortKey {
    /// Reads one part of an order: a field, then ASC or DESC.
    ///
    /// - Parameter argument: what an error calls the text.
    /// - Throws: `invalidArgument` with the position, as `Filter.parse` does.
    public static func parse(
        _ text: String, for schema: SearchSchema, argument: String = "order_by"
    ) throws -> SortKey {
        var parser = try FilterParser(text, schema: schema, argument: argument)
        return try parser.sortKey()
    }

    /// Reads an order of several parts.
    ///
    /// - Throws: `limitExceeded` for more than `Limits.sortKeys`; what `parse` throws, naming the
    ///   part.
    public static func parse(_ texts: [String], for schema: SearchSchema) throws -> [SortKey] {
        guard texts.count <= Limits.sortKeys else {
            throw LinajeError(
                .limitExceeded,
                "order_by has \(texts.count) keys; at most \(Limits.sortKeys) are allowed")
        }
        return try texts.enumerated().map { index, text in
            try parse(text, for: schema, argument: "order_by[\(index)]")
        }
    }
}
