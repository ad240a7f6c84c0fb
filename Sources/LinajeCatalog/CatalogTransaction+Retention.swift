package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Lets go of items, each with its event: versions are deleted, logged models lose their content and keep
    /// the rest, runs lose the artifacts and keep the rest. What nothing needs then is collected as always.
    ///
    /// An item that is protected now, or is not what it was, stays.
    ///
    /// - Parameters:
    ///   - items: with what goes with each as their `sources`.
    ///   - bytes: what each item's event says was freed.
    /// - Returns: why items stayed, by name.
    package func letGo(
        _ items: [(item: RetentionItem, bytes: UInt64)], of subject: RetentionSubject,
        plan: SHA256Digest
    ) throws -> [String: String] {
        let found = try reader.retentionItems(of: subject, metric: "")
        let now = Dictionary(found.map { ($0.name, $0) }) { first, _ in first }
        var stayed: [String: String] = [:]
        for (item, bytes) in items {
            guard let current = now[item.name], current.parts == item.parts else {
                stayed[item.name] = "changed meanwhile"
                continue
            }
            if let protection = current.protection {
                stayed[item.name] = protection
                continue
            }
            var facts = subject.facts
            facts["item"] = .string(item.name)
            facts["bytes"] = .int(Int64(clamping: bytes))
            facts["plan"] = .string("\(plan)")
            // What to ask for while it can be had back.
            if let tree = item.parts.first?.tree { facts["tree"] = .string("\(tree)") }
            try record(.retentionFree, model: subject.model, version: item.version, facts: facts)
            for part in item.parts + item.sources { try letGo(part, of: subject) }
        }
        return stayed
    }

    private func letGo(_ part: RetentionPart, of subject: RetentionSubject) throws {
        switch part.place {
        case .version(let name, let version):
            try removeVersion(model: try reader.modelID(name), name: name, version)
        case .loggedModel(let id):
            try connection.execute(
                """
                UPDATE logged_models SET tree = NULL, status = ?, status_message = ?,
                    updated_at_us = ?
                WHERE id = ? AND tree = ?
                """,
                [
                    .text(LoggedModelStatus.released.rawValue),
                    .text(
                        "tree:sha256:\(part.tree) was let go of by the retention policy of "
                            + "\(subject)"), .time(now), .id(id), .digest(part.tree),
                ])
        case .mount(let run, let position, _):
            try connection.execute(
                "DELETE FROM run_mounts WHERE run_id = ? AND position = ? AND tree = ?",
                [.id(run), .integer(position), .digest(part.tree)])
        }
    }
}

extension RetentionItem {
    /// The version that it is.
    fileprivate var version: UInt64? {
        guard case .version(_, let version)? = parts.first?.place else { return nil }
        return version
    }
}
