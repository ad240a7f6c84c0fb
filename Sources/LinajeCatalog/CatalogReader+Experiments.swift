package import LinajeDomain
import LinajePluginKit

/// Which experiments are wanted.
package struct ExperimentQuery: Sendable, Hashable {
    /// `nil`: deleted ones too.
    package var lifecycle: Lifecycle?
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(
        lifecycle: Lifecycle? = .active, filter: Filter = .everything, order: [SortKey] = [],
        page: Page
    ) {
        self.lifecycle = lifecycle
        self.filter = filter
        self.order = order
        self.page = page
    }
}

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

    /// A page of experiments, newest first unless another order is asked for.
    package func experiments(_ query: ExperimentQuery) throws -> Paged<Experiment> {
        let search = Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let experiments = try experiments(where: "id IN (\(placeholders(ids.count)))", ids)
        return try paged(found, search, Self.table(experiments) { .integer($0.id) }) {
            weight(of: $0.tags)
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
        var found = try connection.all(
            """
            SELECT id, name, lifecycle, created_at_us, updated_at_us
            FROM experiments WHERE \(condition)
            """, arguments
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
