import LinajeDomain
import LinajePluginKit

/// A table of tags and the column that says whose they are.
struct TagTable {
    let name: String
    let owner: String

    static let experiments = TagTable(name: "experiment_tags", owner: "experiment_id")
    static let runs = TagTable(name: "run_tags", owner: "run_id")
    static let datasets = TagTable(name: "dataset_tags", owner: "dataset_id")
    static let loggedModels = TagTable(name: "logged_model_tags", owner: "logged_model_id")
    static let registeredModels = TagTable(name: "registered_model_tags", owner: "model_id")
    static let modelVersions = TagTable(name: "model_version_tags", owner: "version_id")
}

/// What became of one tag; `nil`: it was removed.
struct TagDifference: Hashable {
    var key: String
    var value: String?
}

extension CatalogReader {
    /// The tags of one object, by key.
    func tags(_ table: TagTable, of owner: SQLValue) throws -> [Tag] {
        try tags(table, of: [owner])[owner] ?? []
    }

    /// The tags of many objects, by key, in one query.
    func tags(_ table: TagTable, of owners: [SQLValue]) throws -> [SQLValue: [Tag]] {
        guard !owners.isEmpty else { return [:] }
        var found = GroupedRows<Tag>()
        try connection.query(
            """
            SELECT \(table.owner), key, value FROM \(table.name)
            WHERE \(table.owner) IN (\(placeholders(owners.count)))
            ORDER BY \(table.owner), key
            """, owners
        ) { row in
            found.add(Tag(key: try row.text(1), value: try row.text(2)), of: row)
        }
        return found.finish()
    }
}

extension CatalogTransaction {
    /// Sets and removes tags and says what is different now, in the order given.
    ///
    /// - Throws: `invalidArgument` for a key that stands in both lists; what `Tag.checked` throws.
    @discardableResult
    func apply(_ changes: TagChanges, to table: TagTable, of owner: SQLValue) throws
        -> [TagDifference]
    {
        try checkCount(changes.set.count + changes.remove.count, of: "tags")
        let removed = Set(changes.remove.map { Array($0.utf8) })
        var differences: [TagDifference] = []
        for tag in changes.set {
            let tag = try tag.checked()
            guard !removed.contains(Array(tag.key.utf8)) else {
                throw LinajeError(
                    .invalidArgument, "tag \"\(tag.key)\" is to be set and to be removed; choose")
            }
            let changed = try connection.execute(
                """
                INSERT INTO \(table.name) (\(table.owner), key, value) VALUES (?, ?, ?)
                ON CONFLICT (\(table.owner), key) DO UPDATE SET value = excluded.value
                WHERE \(table.name).value <> excluded.value
                """, [owner, .text(tag.key), .text(tag.value)])
            if changed > 0 { differences.append(TagDifference(key: tag.key, value: tag.value)) }
        }
        for key in changes.remove {
            let changed = try connection.execute(
                "DELETE FROM \(table.name) WHERE \(table.owner) = ? AND key = ?",
                [owner, .text(try Names.key(key, of: "tag"))])
            if changed > 0 { differences.append(TagDifference(key: key, value: nil)) }
        }
        if differences.contains(where: { $0.value != nil }) {
            try checkCharacters(
                "SELECT SUM(LENGTH(key) + LENGTH(value)) FROM \(table.name) "
                    + "WHERE \(table.owner) = ?",
                owner, of: "tags", limit: Limits.labelCharacters)
        }
        return differences
    }

    /// Removes all tags of an object.
    func removeTags(_ table: TagTable, of owner: SQLValue) throws {
        try connection.execute("DELETE FROM \(table.name) WHERE \(table.owner) = ?", [owner])
    }
}
