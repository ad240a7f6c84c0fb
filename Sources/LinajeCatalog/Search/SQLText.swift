import LinajePluginKit

/// A piece of a statement with the arguments of its "?", in order.
struct SQLText {
    var sql: String
    var arguments: [SQLValue]

    init(_ sql: String, _ arguments: [SQLValue] = []) {
        self.sql = sql
        self.arguments = arguments
    }

    /// A condition that never holds.
    static let never = SQLText("1 = 0")

    /// Puts pieces one after the other.
    static func + (left: SQLText, right: SQLText) -> SQLText {
        SQLText(left.sql + right.sql, left.arguments + right.arguments)
    }

    static func + (left: SQLText, right: String) -> SQLText {
        SQLText(left.sql + right, left.arguments)
    }

    static func + (left: String, right: SQLText) -> SQLText {
        SQLText(left + right.sql, right.arguments)
    }

    static func += (left: inout SQLText, right: SQLText) { left = left + right }
}

extension [SQLText] {
    /// The pieces with a separator between them.
    func joined(_ separator: String) -> SQLText {
        SQLText(map(\.sql).joined(separator: separator), flatMap(\.arguments))
    }

    /// " WHERE a AND b", or nothing.
    var whereClause: SQLText {
        isEmpty ? SQLText("") : " WHERE " + joined(" AND ")
    }
}
