package import LinajeDomain
import LinajePluginKit

extension CatalogTransaction {
    /// Holds a tree; one that is held already gets the new reason.
    ///
    /// - Throws: `limitExceeded` for more than `Limits.holds`.
    package func placeHold(_ tree: SHA256Digest, reason: String) throws -> Hold {
        let count = try connection.first("SELECT COUNT(*) FROM artifact_holds", []) {
            try $0.int(0)
        }
        guard (count ?? 0) < Int64(Limits.holds) else {
            throw LinajeError(
                .limitExceeded,
                "\(Limits.holds) trees are held, as many as may be; lift holds that are not needed")
        }
        let hold = Hold(
            tree: tree, reason: try Names.text(reason, of: "reason"), principal: principal.name,
            placedAt: now)
        try connection.execute(
            """
            INSERT INTO artifact_holds (tree, reason, principal, placed_at_us) VALUES (?, ?, ?, ?)
            ON CONFLICT (tree) DO UPDATE SET reason = excluded.reason,
                principal = excluded.principal, placed_at_us = excluded.placed_at_us
            """, [.digest(tree), .text(hold.reason), .text(hold.principal), .time(now)])
        try record(
            .holdPlace, model: "",
            facts: ["tree": .string("\(tree)"), "reason": .string(hold.reason)])
        return hold
    }

    /// Lifts the hold of a tree.
    ///
    /// - Throws: `notFound` when it is not held.
    package func liftHold(_ tree: SHA256Digest) throws -> Hold {
        guard let hold = try reader.hold(of: tree) else {
            throw LinajeError(
                .notFound, "tree \(tree) is not held; linaje artifact hold list shows what is")
        }
        try connection.execute("DELETE FROM artifact_holds WHERE tree = ?", [.digest(tree)])
        try record(.holdLift, model: "", facts: ["tree": .string("\(tree)")])
        return hold
    }

    /// Keeps a tree that belongs to nothing until a moment; a longer lease stays.
    package func lease(_ tree: SHA256Digest, until moment: Timestamp) throws {
        try connection.execute(
            """
            INSERT INTO artifact_leases (tree, ends_at_us) VALUES (?, ?)
            ON CONFLICT (tree) DO UPDATE SET ends_at_us = excluded.ends_at_us
            WHERE excluded.ends_at_us > artifact_leases.ends_at_us
            """, [.digest(tree), .time(moment)])
    }

    /// Forgets leases that are over, at most so many.
    package func forgetEndedLeases(limit: Int) throws -> Int {
        try connection.execute(
            """
            DELETE FROM artifact_leases WHERE tree IN (
                SELECT tree FROM artifact_leases WHERE ends_at_us <= ? LIMIT ?)
            """, [.time(now), .integer(Int64(limit))])
    }
}

extension CatalogReader {
    /// The hold of a tree, if it is held.
    package func hold(of tree: SHA256Digest) throws -> Hold? {
        try connection.first(
            "SELECT tree, reason, principal, placed_at_us FROM artifact_holds WHERE tree = ?",
            [.digest(tree)], Self.hold)
    }

    /// All holds after a tree, by digest.
    package func holds(after tree: SHA256Digest?, limit: Int) throws -> [Hold] {
        try connection.all(
            """
            SELECT tree, reason, principal, placed_at_us FROM artifact_holds
            WHERE tree > ? ORDER BY tree LIMIT ?
            """, [.blob(tree?.bytes ?? []), .integer(Int64(limit))], Self.hold)
    }

    private static func hold(_ row: any SQLRow) throws -> Hold {
        Hold(
            tree: try row.requiredDigest(0), reason: try row.text(1),
            principal: try row.text(2), placedAt: try row.time(3))
    }
}
