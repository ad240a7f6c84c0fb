package import LinajeDomain
import LinajePluginKit

/// Which data sets of runs are wanted.
package struct DatasetQuery: Sendable, Hashable {
    package var filter: Filter
    package var order: [SortKey]
    package var page: Page

    package init(filter: Filter = .everything, order: [SortKey] = [], page: Page) {
        self.filter = filter
        self.order = order
        self.page = page
    }
}

extension CatalogReader {
    /// A page of the data sets of all runs, those logged last first.
    package func datasets(_ query: DatasetQuery) throws -> Paged<FoundDataset> {
        let search = Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let datasets = try datasets(where: "d.id IN (\(placeholders(ids.count)))", ids)
        let elements = Dictionary(datasets.map { ($0.id, $0.found) }) { first, _ in first }
        return try paged(found, search, elements) { found in
            let dataset = found.dataset
            return dataset.schema.utf8.count + dataset.profile.utf8.count
                + dataset.source.utf8.count + dataset.dvcPointer.utf8.count
                + weight(of: dataset.tags) + 1_024
        }
    }
}
