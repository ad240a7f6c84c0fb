import LinajeDomain
import LinajePluginKit

/// A table of params and the column that says whose they are.
///
/// A value is kept as its kind ("string", "int", "double", "bool") and its text: a number column
/// would lose NaN and the sign of zero in SQLite.
struct ParamTable {
    let name: String
    let owner: String
    /// What an error message calls the owner.
    let noun: String

    /// The kind of a param that is a text.
    static let textKind = "string"

    static let runs = ParamTable(name: "run_params", owner: "run_id", noun: "run")
    static let loggedModels = ParamTable(
        name: "logged_model_params", owner: "logged_model_id", noun: "logged model")
}

extension CatalogReader {
    /// The params of many objects, by key, in one query.
    func params(_ table: ParamTable, of owners: [SQLValue]) throws -> [SQLValue: [Param]] {
        guard !owners.isEmpty else { return [:] }
        var found = GroupedRows<Param>()
        try connection.query(
            """
            SELECT \(table.owner), key, kind, value FROM \(table.name)
            WHERE \(table.owner) IN (\(placeholders(owners.count)))
            ORDER BY \(table.owner), key
            """, owners
        ) { row in
            let value = try ParamValue(kind: try row.text(2), text: try row.text(3))
            found.add(Param(key: try row.text(1), value: value), of: row)
        }
        return found.finish()
    }
}

extension CatalogTransaction {
    /// Adds params; one that is there with the same value is accepted.
    ///
    /// - Throws: `conflict` naming the key and both values when it has another one.
    func add(
        _ params: [Param], to table: ParamTable, of owner: SQLValue, shown: String
    ) throws {
        try checkCount(params.count, of: "params")
        for param in params {
            let key = try Names.key(param.key, of: "param")
            try check(param)
            let inserted = try connection.execute(
                """
                INSERT INTO \(table.name) (\(table.owner), key, kind, value) VALUES (?, ?, ?, ?)
                ON CONFLICT (\(table.owner), key) DO NOTHING
                """,
                [owner, .text(key), .text(param.value.kind), .text(param.value.description)])
            guard inserted == 0 else { continue }
            let stored = try connection.first(
                """
                SELECT kind, value FROM \(table.name) WHERE \(table.owner) = ? AND key = ?
                """, [owner, .text(key)]
            ) { try ParamValue(kind: try $0.text(0), text: try $0.text(1)) }
            guard let stored, stored != param.value else { continue }
            let old = stored.shown
            let new = param.value.shown
            throw LinajeError(
                .conflict,
                "param \"\(key)\" of \(table.noun) \(shown) is \(old) and cannot become \(new); "
                    + "params are written once: use another key, or a tag",
                details: ["key": key, "stored": old, "given": new])
        }
        guard !params.isEmpty else { return }
        try checkCharacters(
            "SELECT SUM(LENGTH(key) + LENGTH(value)) FROM \(table.name) "
                + "WHERE \(table.owner) = ?",
            owner, of: "params", limit: Limits.labelCharacters)
    }

    private func check(_ param: Param) throws {
        guard case .string(let text) = param.value,
            text.utf8.count > Limits.paramValueBytes
        else { return }
        throw LinajeError(
            .limitExceeded,
            "value of param \"\(param.key)\" has \(text.utf8.count) bytes; at most "
                + "\(Limits.paramValueBytes) are allowed")
    }
}

extension ParamValue {
    /// The value's type, as it is stored.
    fileprivate var kind: String {
        switch self {
        case .string: ParamTable.textKind
        case .int: "int"
        case .double: "double"
        case .bool: "bool"
        }
    }

    /// The value in an error message: texts quoted, long ones shortened.
    fileprivate var shown: String {
        guard case .string(let text) = self else { return description }
        return text.count > 80 ? "\"\(text.prefix(80))…\"" : "\"\(text)\""
    }

    /// - Throws: `corrupt` when the columns do not hold a value.
    init(kind: String, text: String) throws {
        let value: ParamValue? =
            switch kind {
            case ParamTable.textKind: .string(text)
            case "int": Int64(text).map(ParamValue.int)
            case "double": Double(text).map(ParamValue.double)
            case "bool": Bool(text).map(ParamValue.bool)
            default: nil
            }
        guard let value else {
            throw LinajeError(.corrupt, "param in the catalog is no \(kind): \"\(text)\"")
        }
        self = value
    }
}
