import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Appends an event about a registered model to the ledger, in the transaction of its change.
    func record(
        _ operation: LedgerOperation, model: String, version: UInt64? = nil,
        facts: [String: CanonicalJSON.Value] = [:]
    ) throws {
        var facts = facts
        facts["at"] = .int(now.microseconds)
        facts["op"] = .string(operation.rawValue)
        facts["principal"] = .string(principal.name)
        facts["door"] = .string(principal.door)
        facts["model"] = .string(model)
        if let version { facts["version"] = .int(Int64(clamping: version)) }
        let canonical = CanonicalJSON.encode(facts)
        let head = try reader.ledgerHead()
        guard try head != nil || !reader.hasEvents() else {
            throw LinajeError(
                .corrupt, "ledger has lost its head; restore the catalog from a copy")
        }
        let sequence = (head?.sequence ?? 0) + 1
        let previous = head?.hash ?? LedgerChain.origin
        let hash = LedgerChain.hash(
            previous: previous, sequence: sequence, canonical: canonical)
        try connection.execute(
            """
            INSERT INTO events (sequence, canonical, previous_hash, hash, model, version, new_name)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                try .count(sequence, of: "number of events"), .blob(canonical), .digest(previous),
                .digest(hash), .text(model), .integer(Int64(clamping: version ?? 0)),
                operation == .modelRename ? facts["to"]?.column ?? .null : .null,
            ])
        try connection.execute(
            "INSERT INTO event_times (sequence, at_us) VALUES (?, ?)",
            [try .count(sequence, of: "number of events"), .time(now)])
        try connection.execute(
            """
            INSERT INTO ledger_head (single, sequence, hash) VALUES (1, ?, ?)
            ON CONFLICT (single) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
            """, [try .count(sequence, of: "number of events"), .digest(hash)])
    }

    /// Appends an event for each tag that is different now.
    func record(
        _ operation: LedgerOperation, _ differences: [TagDifference], model: String,
        version: UInt64? = nil
    ) throws {
        for difference in differences {
            var facts: [String: CanonicalJSON.Value] = ["key": .string(difference.key)]
            if let value = difference.value { facts["value"] = .string(value) }
            try record(operation, model: model, version: version, facts: facts)
        }
    }
}

extension CanonicalJSON.Value {
    fileprivate var column: SQLValue {
        switch self {
        case .string(let text): .text(text)
        case .int(let number): .integer(number)
        }
    }
}
