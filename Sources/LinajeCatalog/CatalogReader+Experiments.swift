package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// An experiment, deleted or not.
    ///
    /// - Throws: `notFound`.
    package func experiment(id: ExperimentID) throws -> Experiment {
        guard let found = try experiments(where: "id = ?", [.integer(id)]).first else {
            throw LinajeError(.notFound, "experiment \(id) does not exist; check its id")
        }
        return found
    }

    /// An experiment by its name, deleted or not.
    ///
    /// - Throws: `notFound`.
    package func experiment(named name: String) throws -> Experiment {
        guard let found = try experimentIfThere(named: name) else {
            throw LinajeError(
                .notFound, "experiment \"\(name.prefix(80))\" does not exist; check its name")
        }
        return found
    }

    /// A page of experiments, newest first. `nil`: deleted ones too.
    package func experiments(lifecycle: Lifecycle?, page: Page) throws -> Paged<Experiment> {
        var filter = SQLFilter()
        if let lifecycle { filter.add("lifecycle = ?", [.text(lifecycle.rawValue)]) }
        filter.add("id", after: try PageToken(page.token, of: .experiments), descending: true)
        let found = try experiments(
            filter, order: "ORDER BY id DESC LIMIT ?", [.integer(Int64(page.limit) + 1)])
        return paged(found, page, of: .experiments, weight: { weight(of: $0.tags) }) {
            [.integer($0.id)]
        }
    }

    func experimentIfThere(named name: String) throws -> Experiment? {
        try experiments(where: "name = ?", [.text(name)]).first
    }

    func hasDefaultExperiment() throws -> Bool {
        try connection.first("SELECT id FROM experiments WHERE id = 0") { try $0.int(0) } != nil
    }

    private func experiments(where condition: String, _ arguments: [SQLValue]) throws
        -> [Experiment]
    {
        var filter = SQLFilter()
        filter.add(condition, arguments)
        return try experiments(filter, order: "", [])
    }

    private func experiments(_ filter: SQLFilter, order: String, _ more: [SQLValue]) throws
        -> [Experiment]
    {
        var found = try connection.all(
            """
            SELECT id, name, lifecycle, created_at_us, updated_at_us
            FROM experiments\(filter.text) \(order)
            """, filter.arguments + more
        ) { row in
            Experiment(
                id: try row.int(0), name: try row.text(1), lifecycle: try row.choice(2),
                createdAt: try row.time(3), updatedAt: try row.time(4))
        }
        let tags = try tags(.experiments, of: found.map { .integer($0.id) })
        for index in found.indices { found[index].tags = tags[.integer(found[index].id)] ?? [] }
        return found
    }
}

/// Bytes of the texts of some tags.
func weight(of tags: [Tag]) -> Int {
    tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
}

/// Bytes of the texts of some params.
func weight(of params: [Param]) -> Int {
    params.reduce(0) { sum, param in
        guard case .string(let text) = param.value else { return sum + param.key.utf8.count + 16 }
        return sum + param.key.utf8.count + text.utf8.count
    }
}
