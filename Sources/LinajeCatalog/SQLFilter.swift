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

    /// Only what comes after the entry that the token names, in an order of `columns`.
    mutating func add(_ columns: String, after token: PageToken?, descending: Bool) {
        guard let token else { return }
        let sign = descending ? "<" : ">"
        let marks = placeholders(token.fields.count)
        add("(\(columns)) \(sign) (\(marks))", token.fields.map(\.value))
    }
}

/// "?, ?, ?"; NULL, which nothing is in, for none.
func placeholders(_ count: Int) -> String {
    count == 0 ? "NULL" : Array(repeating: "?", count: count).joined(separator: ", ")
}
