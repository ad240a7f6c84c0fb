import LinajeDomain
import LinajePluginKit

/// The order of a list as phases, one statement each, so that an index can give the order.
///
/// A list in the order of a metric is first the objects that have a value, walked along the index,
/// then those whose value is NaN, then those without one.
struct SearchOrder {
    /// A column of the order.
    struct Column {
        var expression: String
        var isDescending: Bool
    }

    /// A part of the list whose rows all come before those of the next.
    struct Phase {
        /// "run_metrics k": the table whose index gives the order, joined by `conditions`.
        var walked: String?
        var conditions: [SQLText]
        var columns: [Column]
        /// The column of the metric's value in `walked`, for tests on the same metric.
        var valueColumn: String?
    }

    private(set) var phases: [Phase] = []
    /// LEFT JOINs of the keys after the first.
    private(set) var joins = SQLText("")
    /// The metric that the phases walk along.
    private(set) var metric: String?

    private let table: SearchTable
    private let dialect: SQLDialect

    init(_ keys: [SortKey], _ table: SearchTable, _ dialect: SQLDialect) throws {
        self.table = table
        self.dialect = dialect
        var rest: [Column] = []
        for (index, key) in keys.dropFirst().enumerated() {
            rest += try columns(of: key, alias: "k\(index + 1)")
        }
        rest += table.ties.map { tie in
            Column(
                expression: tie.attribute + bytewise(tie.attribute), isDescending: tie.isDescending)
        }
        guard let first = keys.first else {
            phases = [Phase(conditions: [], columns: rest)]
            return
        }
        try setPhases(first, rest)
    }

    private mutating func setPhases(_ first: SortKey, _ rest: [Column]) throws {
        switch first.field {
        case .metric:
            let (other, owner, key) = try keyed(first.field)
            metric = key
            func phase(_ test: String, _ columns: [Column]) -> Phase {
                Phase(
                    walked: "\(other) k",
                    conditions: [
                        SQLText("k.key = ?", [.text(key)]), SQLText("k.value \(test)"),
                        SQLText("k.\(owner) = \(table.id)"),
                    ], columns: columns, valueColumn: "k.value")
            }
            let value = Column(expression: "k.value", isDescending: first.isDescending)
            phases = [
                phase("IS NOT NULL", [value] + rest), phase("IS NULL", rest),
                missing(other, owner, key, rest),
            ]
        case .param, .tag:
            let (other, owner, key) = try keyed(first.field)
            let value = Column(
                expression: SearchTable.beginning("k.value") + dialect.bytewise,
                isDescending: first.isDescending)
            phases = [
                Phase(
                    walked: "\(other) k",
                    conditions: [
                        SQLText("k.key = ?", [.text(key)]),
                        SQLText("k.\(owner) = \(table.id)"),
                    ], columns: [value] + rest),
                missing(other, owner, key, rest),
            ]
        case .attribute, .dataset:
            phases = [
                Phase(conditions: [], columns: try columns(of: first, alias: "") + rest)
            ]
        }
    }

    private func missing(
        _ other: String, _ owner: String, _ key: String, _ rest: [Column]
    ) -> Phase {
        Phase(
            conditions: [
                SQLText(
                    "NOT EXISTS (SELECT 1 FROM \(other) t WHERE t.\(owner) = \(table.id) "
                        + "AND t.key = ?)", [.text(key)])
            ], columns: rest)
    }

    private func keyed(
        _ field: SearchField
    ) throws -> (table: String, owner: String, key: String) {
        switch field {
        case .metric(let key):
            guard let metrics = table.metrics else { break }
            return (metrics.name, metrics.owner, key)
        case .param(let key):
            guard let params = table.params else { break }
            return (params.name, params.owner, key)
        case .tag(let key): return (table.tags.name, table.tags.owner, key)
        default: break
        }
        throw LinajeError(
            .invalidArgument, "\(table.schema.noun) cannot be ordered by \(field)")
    }

    /// The columns of a key that is not walked along: a rank where values may be missing, then the
    /// value.
    private mutating func columns(of key: SortKey, alias: String) throws -> [Column] {
        if case .attribute(let attribute) = key.field {
            guard let column = table.column(attribute, dialect) else { return try none(key) }
            var expression = column.expression
            if column.isLong { expression = SearchTable.beginning(expression) }
            if column.kind == .text { expression += dialect.bytewise }
            let value = Column(expression: expression, isDescending: key.isDescending)
            guard column.isNullable else { return [value] }
            let rank = "CASE WHEN \(column.expression) IS NULL THEN 1 ELSE 0 END"
            return [Column(expression: rank, isDescending: false), value]
        }
        let (other, owner, name) = try keyed(key.field)
        joins += SQLText(
            " LEFT JOIN \(other) \(alias) ON \(alias).\(owner) = \(table.id) AND \(alias).key = ?",
            [.text(name)])
        var expression = "\(alias).value"
        var rank = "CASE WHEN \(alias).\(owner) IS NULL THEN 2 "
        if case .metric = key.field {
            rank += "WHEN \(alias).value IS NULL THEN 1 ELSE 0 END"
        } else {
            rank += "ELSE 0 END"
            expression = SearchTable.beginning(expression) + dialect.bytewise
        }
        return [
            Column(expression: rank, isDescending: false),
            Column(expression: expression, isDescending: key.isDescending),
        ]
    }

    private func none(_ key: SortKey) throws -> [Column] {
        throw LinajeError(
            .invalidArgument, "\(table.schema.noun) cannot be ordered by \(key.field)")
    }

    private func bytewise(_ tie: String) -> String {
        tie.hasSuffix(".name") ? dialect.bytewise : ""
    }
}

extension SearchOrder.Phase {
    /// " ORDER BY …"
    var orderClause: String {
        " ORDER BY "
            + columns.map { $0.expression + ($0.isDescending ? " DESC" : "") }
            .joined(separator: ", ")
    }

    /// Only what comes after a row with these values. A column that is NULL there is NULL in all rows
    /// of the same rank, and says nothing.
    func after(_ values: [SQLValue]) -> SQLText {
        var after: SQLText?
        var first: SQLText?
        for (column, value) in zip(columns, values).reversed() where value != .null {
            let sign = column.isDescending ? "<" : ">"
            let beyond = SQLText("\(column.expression) \(sign) ?", [value])
            first = SQLText("\(column.expression) \(sign)= ?", [value])
            guard let inner = after else {
                after = beyond
                continue
            }
            after =
                "(" + beyond + SQLText(" OR (\(column.expression) = ? AND ", [value]) + inner + "))"
        }
        guard let after, let first else { return .never }
        // Said again so that an index finds the beginning.
        return first + " AND " + after
    }
}
