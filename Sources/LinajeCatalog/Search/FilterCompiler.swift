import LinajeDomain
import LinajePluginKit

/// Makes conditions of filters.
///
/// A test has up to two forms. The *condition* looks at one row of the table and is never NULL, so
/// that NOT inverts it. The *set* is a query for the ids of all rows that pass, which an index
/// answers; only some tests have one.
struct FilterCompiler {
    let table: SearchTable
    let dialect: SQLDialect
    var test: ValueTest { ValueTest(dialect: dialect) }

    init(_ table: SearchTable, _ dialect: SQLDialect) {
        self.table = table
        self.dialect = dialect
    }

    /// The filter as a condition on a row.
    func condition(_ filter: Filter) throws -> SQLText {
        switch filter {
        case .all(let parts) where parts.isEmpty: SQLText("1 = 1")
        case .any(let parts) where parts.isEmpty: .never
        case .all(let parts): "(" + (try parts.map(condition)).joined(" AND ") + ")"
        case .any(let parts): "(" + (try parts.map(condition)).joined(" OR ") + ")"
        case .not(let part): "NOT (" + (try condition(part)) + ")"
        case .test(let field, let test): try condition(field, test)
        }
    }

    /// A query for the ids of what passes, as "id", or `nil` where no index helps. No id comes twice.
    ///
    /// - Parameter repeating: ids may come more than once; then the first come before all are known.
    func set(_ filter: Filter, repeating: Bool = false) throws -> SQLText? {
        switch filter {
        case .any(let parts):
            let sets = try parts.compactMap { try set($0, repeating: repeating) }
            guard sets.count == parts.count, sets.count > 1 else { return nil }
            return sets.joined(repeating ? " UNION ALL " : " UNION ")
        case .test(let field, let test): return try set(field, test)
        case .all, .not: return nil
        }
    }

    // MARK: Conditions

    private func condition(_ field: SearchField, _ filter: FilterTest) throws -> SQLText {
        switch field {
        case .metric(let key):
            let metrics = try self.metrics(of: field)
            return exists(
                "\(metrics.name) t", "t.\(metrics.owner)", key, filter,
                test.metric("t.value", filter))
        case .param(let key):
            let params = try self.params(of: field)
            return exists(
                "\(params.name) t", "t.\(params.owner)", key, filter, test.param("t", filter))
        case .tag(let key):
            return exists(
                "\(table.tags.name) t", "t.\(table.tags.owner)", key, filter,
                test.value("t.value", .text, filter))
        case .attribute(let attribute): return try condition(attribute, filter)
        case .dataset(let attribute):
            let column = SearchTable.column(attribute, of: "t")
            return exists(
                "run_datasets t", "t.run_id", nil, filter, test.value(column, .text, filter))
        }
    }

    private func params(of field: SearchField) throws -> ParamTable {
        guard let params = table.params else { throw unknown(field) }
        return params
    }

    private func metrics(of field: SearchField) throws -> MetricTable {
        guard let metrics = table.metrics else { throw unknown(field) }
        return metrics
    }

    private func unknown(_ field: SearchField) -> LinajeError {
        LinajeError(.invalidArgument, "\(table.schema.noun) have no \(field)")
    }

    /// A row of another table that passes, or none for IS NULL.
    private func exists(
        _ other: String, _ owner: String, _ key: String?, _ filter: FilterTest, _ passes: SQLText
    ) -> SQLText {
        let keyed = key.map { SQLText(" AND t.key = ?", [.text($0)]) } ?? SQLText("")
        let there = "EXISTS (SELECT 1 FROM \(other) WHERE \(owner) = \(table.id)" + keyed
        guard case .isNull(let isNegated) = filter else { return there + " AND " + passes + ")" }
        return isNegated ? there + ")" : "NOT " + there + ")"
    }

    private func condition(
        _ attribute: SearchAttribute, _ filter: FilterTest
    ) throws -> SQLText {
        guard let column = table.column(attribute, dialect) else {
            throw unknown(.attribute(attribute))
        }
        if let around = column.around {
            let inner = test.value(around.inner, column.kind, filter)
            return SQLText(around.condition.replacing("{}", with: inner.sql), inner.arguments)
        }
        let condition = test.value(column.expression, column.kind, filter)
        guard column.isNullable, !filter.isAboutNull else { return condition }
        return "(\(column.expression) IS NOT NULL AND " + condition + ")"
    }

    // MARK: Sets

    private func set(_ field: SearchField, _ filter: FilterTest) throws -> SQLText? {
        switch field {
        case .metric(let key):
            guard filter.isSelective else { return nil }
            let metrics = try self.metrics(of: field)
            return SQLText(
                "SELECT t.\(metrics.owner) AS id FROM \(metrics.name) t WHERE t.key = ? AND ",
                [.text(key)])
                + test.metric("t.value", filter)
        case .param(let key):
            let params = try self.params(of: field)
            return set(params.name, params.owner, key, filter)
        case .tag(let key): return set(table.tags.name, table.tags.owner, key, filter)
        case .attribute(let attribute):
            guard filter.isSelective, Self.indexed[table.name]?.contains(attribute) ?? false else {
                return nil
            }
            return "SELECT \(table.id) AS id FROM \(table.name) WHERE "
                + (try condition(attribute, filter))
        case .dataset(.name):
            guard filter.isSelective else { return nil }
            return "SELECT DISTINCT t.run_id AS id FROM run_datasets t WHERE "
                + test.value("t.name", .text, filter)
        case .dataset: return nil
        }
    }

    /// Attributes that an index finds.
    private static let indexed: [String: Set<SearchAttribute>] = [
        "runs": [.runID, .name, .status, .startedAt, .experimentID, .parentID],
        "experiments": [.experimentID, .name],
        "registered_models": [.name],
        "model_versions": [.runID, .loggedModelID],
        "logged_models": [.loggedModelID, .runID, .experimentID, .createdAt],
        "run_datasets": [.runID, .name],
    ]

    /// Tags and params: their indexes hold the beginnings of the values.
    private func set(
        _ other: String, _ owner: String, _ key: String, _ filter: FilterTest
    ) -> SQLText? {
        guard table.name == "runs" else { return nil }
        let beginning = SearchTable.beginning("t.value") + dialect.bytewise
        let keyed = SQLText(
            "SELECT t.\(owner) AS id FROM \(other) t WHERE t.key = ? AND ", [.text(key)])
        // As an expression: SQLite would put the value of a plain column into the other test, and
        // then the index no longer fits.
        let exact = test.value("(t.value || '')", .text, filter)
        switch filter {
        case .compare(.equal, .text(let text)):
            let found = keyed + SQLText("\(beginning) = ?", [.text(Self.beginning(text))])
            return Self.isShort(text) ? found : found + " AND " + exact
        case .oneOf(let literals, isNegated: false):
            let texts = literals.compactMap { literal -> String? in
                guard case .text(let text) = literal else { return nil }
                return text
            }
            guard texts.count == literals.count else { return nil }
            let values = texts.map { SQLValue.text(Self.beginning($0)) }
            let found = keyed + SQLText("\(beginning) IN (\(placeholders(values.count)))", values)
            return texts.allSatisfy(Self.isShort) ? found : found + " AND " + exact
        case .like(let pattern, ignoresCase: false, isNegated: false):
            guard let range = Self.range(ofTextsLike: pattern) else { return nil }
            let found =
                keyed
                + SQLText(
                    "\(beginning) >= ? AND \(beginning) < ?",
                    [.text(range.lower), .text(range.upper)])
            // What begins as the pattern is all that it asks for.
            guard !Self.isBeginning(pattern) else { return found }
            return found + " AND " + exact
        default: return nil
        }
    }

    /// Whether a text is all that its beginning is.
    private static func isShort(_ text: String) -> Bool {
        text.unicodeScalars.count < SearchTable.orderedCharacters
    }

    private static func beginning(_ text: String) -> String {
        var out = ""
        out.unicodeScalars.append(
            contentsOf: text.unicodeScalars.prefix(SearchTable.orderedCharacters))
        return out
    }

    /// Whether a pattern is a beginning that the index holds, and then anything.
    private static func isBeginning(_ pattern: String) -> Bool {
        let scalars = pattern.unicodeScalars
        guard scalars.last == "%", isShort(pattern) else { return false }
        return scalars.dropLast().allSatisfy { $0 != "%" && $0 != "_" }
    }

    /// What the texts lie between that begin as the pattern does; `nil` for one that begins with a
    /// wildcard.
    static func range(ofTextsLike pattern: String) -> (lower: String, upper: String)? {
        var prefix = pattern.unicodeScalars.prefix { $0 != "%" && $0 != "_" }
            .prefix(SearchTable.orderedCharacters)
        guard let last = prefix.popLast() else { return nil }
        // The next scalar; between D7FF and E000 there is none.
        let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
        guard let following = Unicode.Scalar(next) else { return nil }
        var (lower, upper) = (String.UnicodeScalarView(prefix), String.UnicodeScalarView(prefix))
        lower.append(last)
        upper.append(following)
        return (String(lower), String(upper))
    }
}

extension FilterTest {
    fileprivate var isAboutNull: Bool {
        if case .isNull = self { true } else { false }
    }

    /// Whether an index on the value narrows it down.
    fileprivate var isSelective: Bool {
        switch self {
        case .compare(let comparison, _): comparison != .notEqual
        case .oneOf(_, let isNegated): !isNegated
        case .like, .isNull: false
        }
    }
}
