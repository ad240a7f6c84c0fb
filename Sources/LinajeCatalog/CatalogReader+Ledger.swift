package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A page of events, oldest first.
    ///
    /// A model's events are all those of its name, those of deleted models of that name included,
    /// and, where it was renamed, those of its former names until then.
    package func events(_ query: EventQuery) throws -> Paged<LedgerEvent> {
        var filter = SQLFilter()
        if let model = query.model {
            let names = try formerNames(of: model)
            let each = names.map { _ in "(model = ? AND sequence <= ?)" }
            filter.add(
                names.count == 1 ? "model = ?" : "(\(each.joined(separator: " OR ")))",
                names.count == 1
                    ? [.text(model)] : names.flatMap { [.text($0.name), .integer($0.until)] })
        }
        if let version = query.version {
            filter.add("version = ?", [.integer(Int64(clamping: version))])
        }
        let isByTime = query.since != nil || query.until != nil
        let areTimesComplete = try isByTime && EventTimes.areComplete(connection)
        if areTimesComplete {
            filter.add(
                "sequence IN (SELECT sequence FROM event_times WHERE at_us >= ? AND at_us < ?)",
                [
                    .integer(query.since?.microseconds ?? .min),
                    .integer(query.until?.microseconds ?? .max),
                ])
        }
        filter.add(
            "sequence", after: try PageToken(query.page.token, of: .events), descending: false)
        // While times are being entered, the texts themselves are asked.
        let isWanted: ((LedgerEvent) -> Bool)? =
            isByTime && !areTimesComplete ? { query.contains($0) } : nil
        let found = try events(filter, limit: query.page.limit + 1, where: isWanted)
        return paged(found, query.page, of: .events, weight: { $0.canonical.count + 128 }) {
            [.integer(Int64(clamping: $0.sequence))]
        }
    }

    /// The first events that match the filter and the closure, at most `limit`.
    private func events(
        _ filter: SQLFilter, limit: Int, where isWanted: ((LedgerEvent) -> Bool)?
    ) throws -> [LedgerEvent] {
        struct Enough: Error {}
        var found: [LedgerEvent] = []
        let most = isWanted == nil ? Int64(limit) : .max
        do {
            try connection.query(
                """
                SELECT sequence, canonical, previous_hash, hash FROM events\(filter.text)
                ORDER BY sequence LIMIT ?
                """, filter.arguments + [.integer(most)]
            ) { row in
                let event = LedgerEvent(
                    sequence: try row.count(0), canonical: try row.blob(1),
                    previousHash: try row.requiredDigest(2), hash: try row.requiredDigest(3))
                guard isWanted?(event) ?? true else { return }
                found.append(event)
                if found.count >= limit { throw Enough() }
            }
        } catch is Enough {}
        return found
    }

    /// Recomputes the chain of all events, and compares what stands beside them for look-ups.
    ///
    /// Reads one event at a time and stops at the first that does not fit. `firstBad` is the number
    /// that event has or, for one that is gone or has another's number, should have.
    package func verifyLedger() throws -> LedgerVerification {
        var check = LedgerCheck(areTimesComplete: try EventTimes.areComplete(connection))
        do {
            try connection.query(
                """
                SELECT e.sequence, e.canonical, e.previous_hash, e.hash, e.model, e.version,
                    e.new_name, t.at_us
                FROM events e LEFT JOIN event_times t ON t.sequence = e.sequence
                ORDER BY e.sequence
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
