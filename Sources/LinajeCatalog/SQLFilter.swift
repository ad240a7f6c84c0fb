import LinajeDomain
import LinajePluginKit

/// The conditions of a search, all of which must hold, with their arguments.
struct SQLFilter {
    private(set) var conditions: [String] = []
    private(set) var arguments: [SQLValue] = []

    /// " WHERE …", or nothing.
    var text: String {
        conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    }

    mutating func add(_ condition: String, _ arguments: [SQLValue] = []) {
        conditions.append(condition)
        self.arguments += arguments
    }

    /// The column has one of the values; no values: anything.
    mutating func add(_ column: String, in values: [SQLValue], noun: String) throws {
        guard !values.isEmpty else { return }
        guard values.count <= CatalogLimits.searchIDs else {
            throw LinajeError(
                .limitExceeded,
                "search names \(values.count) \(noun); at most \(CatalogLimits.searchIDs) are "
                    + "allowed")
        }
        add("\(column) IN (\(placeholders(values.count)))", values)
    }

    /// The object whose id is in `owner` carries all the tags.
    mutating func add(_ tags: [Tag], in table: TagTable, owner: String) throws {
        guard tags.count <= CatalogLimits.searchTags else {
            throw LinajeError(
                .limitExceeded,
                "search names \(tags.count) tags; at most \(CatalogLimits.searchTags) are allowed")
        }
        for tag in tags {
            add(
                """
                EXISTS (SELECT 1 FROM \(table.name) t
                    WHERE t.\(table.owner) = \(owner) AND t.key = ? AND t.value = ?)
                """, [.text(tag.key), .text(tag.value)])
        }
    }

    /// Only what comes after the entry that the token names, in an order of `columns`.
    mutating func add(_ columns: String, after token: PageToken?, descending: Bool) {
        guard let token else { return }
        let sign = descending ? "<" : ">"
        let marks = placeholders(token.fields.count)
        add("(\(columns)) \(sign) (\(marks))", token.fields.map(\.value))
    }
}

/// "?, ?, ?"
func placeholders(_ count: Int) -> String {
    Array(repeating: "?", count: count).joined(separator: ", ")
}
