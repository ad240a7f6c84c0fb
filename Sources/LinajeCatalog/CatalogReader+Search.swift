import LinajeDomain
import LinajePluginKit

/// The ids of a page, in order, with what a token for the rest needs.
struct FoundPage {
    struct Row {
        var id: SQLValue
        var phase: Int
        var values: [SQLValue]
    }

    /// One more than asked for when there is a next page.
    var rows: [Row]
    var fingerprint: [UInt8]
}

extension CatalogReader {
    /// The ids of a page of a search.
    ///
    /// - Throws: `invalidArgument` for a page token of another search.
    func find(_ search: Search) throws -> FoundPage {
        var plan = try SearchPlan(search, dialect)
        try plan.estimate(connection, upTo: SearchPlan.fewRows)
        let fingerprint = plan.fingerprint
        let start = try place(search, plan, fingerprint)
        var found = FoundPage(rows: [], fingerprint: fingerprint)
        let wanted = search.page.limit + 1
        for index in (start?.phase ?? 0)..<plan.order.phases.count {
            guard found.rows.count < wanted else { break }
            let phase = plan.order.phases[index]
            let statement = plan.rows(
                phase, after: index == start?.phase ? start?.values : nil,
                limit: wanted - found.rows.count)
            try connection.query(statement.sql, statement.arguments) { row in
                found.rows.append(
                    FoundPage.Row(
                        id: row[0], phase: index,
                        values: phase.columns.indices.map { row[$0 + 1] }))
            }
        }
        return found
    }

    /// How many objects a search finds, on all pages.
    func count(_ search: Search) throws -> UInt64 {
        var plan = try SearchPlan(search, dialect)
        try plan.estimate(connection, upTo: SearchPlan.countedRows)
        if let count = try plan.countOfFewRuns() { return try count.count(connection) }
        let statement = plan.count()
        return try connection.first(statement.sql, statement.arguments) { try $0.count(0) } ?? 0
    }

    /// How a search is answered: what was understood, then each statement with the database's plan
    /// for it.
    func explain(_ search: Search, counting: Bool) throws -> [String] {
        var plan = try SearchPlan(search, dialect)
        try plan.estimate(
            connection, upTo: counting ? SearchPlan.countedRows : SearchPlan.fewRows)
        var lines = ["filter: \(search.filter)"]
        if !search.order.isEmpty {
            lines.append("order: " + search.order.map(\.description).joined(separator: ", "))
        }
        for part in plan.parts {
            guard let estimate = part.estimate else { continue }
            lines.append("finds \(estimate): \(part.filter)")
        }
        let statements =
            counting
            ? try plan.countOfFewRuns()?.statements ?? [plan.count()]
            : plan.order.phases.map { plan.rows($0, after: nil, limit: search.page.limit + 1) }
        for statement in statements {
            lines.append("statement: \(statement.sql)")
            lines.append("arguments: \(statement.arguments.map(\.shown).joined(separator: ", "))")
            try connection.query(dialect.explain + statement.sql, statement.arguments) { row in
                lines.append("plan: \(try row.text(dialect.explainColumn))")
            }
        }
        return lines
    }

    /// A page of objects that were loaded by the ids of a found page, in its order.
    ///
    /// It ends, short of its limit, when `weight` adds up to `CatalogLimits.pageBytes`.
    func paged<Element: Sendable>(
        _ found: FoundPage, _ search: Search, _ elements: [SQLValue: Element],
        weight: (Element) -> Int
    ) throws -> Paged<Element> {
        var page: [Element] = []
        var bytes = 0
        for row in found.rows.prefix(search.page.limit) {
            guard let element = elements[row.id] else {
                throw LinajeError(.internalError, "search found an object that is not there")
            }
            bytes += weight(element)
            guard page.isEmpty || bytes <= CatalogLimits.pageBytes else { break }
            page.append(element)
        }
        guard !page.isEmpty, page.count < found.rows.count else { return Paged(page) }
        let last = found.rows[page.count - 1]
        let fields: [PageToken.Field] =
            [.bytes(found.fingerprint), .integer(Int64(last.phase))]
            + last.values.map(PageToken.Field.init)
        return Paged(
            page, nextPageToken: PageToken(list: search.table.list, fields: fields).text)
    }

    /// Objects by their ids.
    static func table<Element>(
        _ elements: [Element], id: (Element) -> SQLValue
    ) -> [SQLValue: Element] {
        Dictionary(elements.map { (id($0), $0) }) { first, _ in first }
    }

    /// Where a page begins; `nil` for the first.
    private func place(
        _ search: Search, _ plan: SearchPlan, _ fingerprint: [UInt8]
    ) throws -> (phase: Int, values: [SQLValue])? {
        guard let token = try PageToken(search.page.token, of: search.table.list) else {
            return nil
        }
        guard token.fields[0] == .bytes(fingerprint), case .integer(let number) = token.fields[1],
            let phase = Int(exactly: number), plan.order.phases.indices.contains(phase),
            token.fields.count == plan.order.phases[phase].columns.count + 2
        else {
            throw LinajeError(
                .invalidArgument,
                "page token is of another search; give the same filter and order with it, or begin "
                    + "without a token")
        }
        return (phase, token.fields.dropFirst(2).map(\.value))
    }
}

extension SQLValue {
    /// The value for people.
    fileprivate var shown: String {
        switch self {
        case .null: "NULL"
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): "'\(text)'"
        case .blob(let bytes): "x'\(Hex.encode(bytes))'"
        }
    }
}
