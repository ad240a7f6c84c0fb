import LinajeDomain
import LinajePluginKit

/// A connection that refuses texts with a NUL byte: databases end a text there or refuse it, and
/// nothing may be cut silently.
struct CheckedConnection: SQLConnection {
    let base: any SQLConnection

    var dialect: SQLDialect { base.dialect }

    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try check(arguments)
        return try base.execute(sql, arguments)
    }

    func query(_ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void) throws {
        try check(arguments)
        try base.query(sql, arguments, row: row)
    }

    private func check(_ arguments: [SQLValue]) throws {
        for case .text(let text) in arguments where text.utf8.contains(0) {
            throw LinajeError(
                .invalidArgument, "text \"\(text.prefix(40))\" holds a NUL byte; remove it")
        }
    }
}
