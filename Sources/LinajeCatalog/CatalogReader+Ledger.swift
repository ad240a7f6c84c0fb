package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A page of events, oldest first; `nil`: of all models, of any version.
    ///
    /// A model's events are all those of its name, those of deleted models of that name included,
    /// and, where it was renamed, those of its former names until then.
    package func events(model: String? = nil, version: UInt64? = nil, page: Page) throws
        -> Paged<LedgerEvent>
    {
        var filter = SQLFilter()
        if let model {
            let names = try formerNames(of: model)
            let each = names.map { _ in "(model = ? AND sequence <= ?)" }
            filter.add(
                names.count == 1 ? "model = ?" : "(\(each.joined(separator: " OR ")))",
                names.count == 1
                    ? [.text(model)] : names.flatMap { [.text($0.name), .integer($0.until)] })
        }
        if let version {
            filter.add("version = ?", [.integer(Int64(clamping: version))])
        }
        filter.add("sequence", after: try PageToken(page.token, of: .events), descending: false)
        let found = try connection.all(
            """
            SELECT sequence, canonical, previous_hash, hash FROM events\(filter.text)
            ORDER BY sequence LIMIT ?
            """, filter.arguments + [.integer(Int64(page.limit) + 1)]
        ) { row in
            LedgerEvent(
                sequence: try row.count(0), canonical: try row.blob(1),
                previousHash: try row.requiredDigest(2), hash: try row.requiredDigest(3))
        }
        return paged(found, page, of: .events, weight: { $0.canonical.count + 128 }) {
            [.integer(Int64(clamping: $0.sequence))]
        }
    }

    /// Recomputes the chain of all events, and compares what stands beside them for look-ups.
    ///
    /// Reads one event at a time and stops at the first that does not fit. `firstBad` is the number
    /// that event has or, for one that is gone or has another's number, should have.
    package func verifyLedger() throws -> LedgerVerification {
        var check = LedgerCheck()
        do {
            try connection.query(
                """
                SELECT sequence, canonical, previous_hash, hash, model, version, new_name
                FROM events ORDER BY sequence
                """, []
            ) { row in
                try check.take(row)
            }
        } catch is LedgerCheck.Stop {
            return check.verification
        }
        do {
            return check.compare(head: try ledgerHead())
        } catch let error as LinajeError where error.code == .corrupt {
            return check.unreadableHead()
        }
    }

    /// Whether there is any event.
    func hasEvents() throws -> Bool {
        try connection.first("SELECT sequence FROM events LIMIT 1") { _ in true } ?? false
    }

    /// How many events there are.
    package func eventCount() throws -> UInt64 { try ledgerHead()?.sequence ?? 0 }

    /// Number and hash of the last event, `nil` before the first.
    func ledgerHead() throws -> (sequence: UInt64, hash: SHA256Digest)? {
        try connection.first("SELECT sequence, hash FROM ledger_head WHERE single = 1") {
            (sequence: try $0.count(0), hash: try $0.requiredDigest(1))
        }
    }

    /// The names that a model has had, each with the last event that is part of its history.
    private func formerNames(of model: String) throws -> [(name: String, until: Int64)] {
        var names = [(name: model, until: Int64.max)]
        var index = 0
        while index < names.count, names.count < CatalogLimits.renames {
            let (name, until) = names[index]
            index += 1
            try connection.query(
                """
                SELECT model, sequence FROM events
                WHERE new_name = ? AND sequence < ? ORDER BY sequence
                """, [.text(name), .integer(until)]
            ) { row in
                names.append((name: try row.text(0), until: try row.int(1)))
            }
        }
        return names
    }
}
