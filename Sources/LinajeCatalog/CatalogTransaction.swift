package import LinajeDomain
package import LinajePluginKit

/// Changes the catalog inside one transaction.
///
/// Valid only inside the closure that gets it. Each method checks everything it is given; when one
/// throws, the transaction is undone as a whole. `reader` sees what was changed so far.
package struct CatalogTransaction {
    /// Looks things up, with the changes of this transaction.
    package let reader: CatalogReader
    /// Who makes the change.
    package let principal: Principal
    /// The moment of the change, the same for all of it.
    package let now: Timestamp

    package init(
        connection: any SQLConnection, principal: Principal, now: Timestamp,
        scanPolicy: ScanPolicy = .standard
    ) {
        self.reader = CatalogReader(connection: connection, scanPolicy: scanPolicy)
        self.principal = principal
        self.now = now
    }

    var connection: any SQLConnection { reader.connection }
}

extension CatalogTransaction {
    /// What internal ids are counted for.
    enum Counter: String {
        case experiments, datasets, registeredModels = "registered_models"
        case modelVersions = "model_versions"
    }

    /// The next id: 1, 2, 3, …; never the same twice, not even after a deletion.
    func nextID(_ counter: Counter) throws -> Int64 {
        try connection.execute(
            """
            INSERT INTO catalog_counters (name, value) VALUES (?, 1)
            ON CONFLICT (name) DO UPDATE SET value = catalog_counters.value + 1
            """, [.text(counter.rawValue)])
        let id = try connection.first(
            "SELECT value FROM catalog_counters WHERE name = ?", [.text(counter.rawValue)]
        ) { try $0.int(0) }
        guard let id else {
            throw LinajeError(.corrupt, "counter \(counter.rawValue) of the catalog is lost")
        }
        return id
    }

    /// - Parameter query: sums up the characters of what belongs to `owner`.
    /// - Throws: `limitExceeded` when an object would become too large for an answer that shows it.
    func checkCharacters(
        _ query: String, _ owner: SQLValue, of noun: String, limit: Int
    ) throws {
        let sum = try connection.first(query, [owner]) { $0.isNull(0) ? 0 : try $0.int(0) }
        guard let sum, sum > Int64(limit) else { return }
        throw LinajeError(
            .limitExceeded,
            "all \(noun) of the object together would have \(sum) characters; at most \(limit) are "
                + "allowed: keep long texts as artifacts")
    }

    /// - Throws: `limitExceeded` when a call brings too many things of a kind.
    func checkCount(_ count: Int, of noun: String) throws {
        guard count <= Limits.itemsPerCall else {
            throw LinajeError(
                .limitExceeded,
                "call has \(count) \(noun); at most \(Limits.itemsPerCall) are allowed: split it")
        }
    }
}
