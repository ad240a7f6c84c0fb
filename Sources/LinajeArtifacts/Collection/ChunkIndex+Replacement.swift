import LinajeDomain
import LinajePluginKit

/// A pack that is to go, and what becomes of what the index has in it.
struct PackReplacement: Sendable {
    var pack: PackName
    /// Blobs that stand in the new pack.
    var moved: [BlobKey]
    /// Blobs that go with the pack.
    var dropped: [BlobKey]
    /// Only blobs that have been condemned by then may go; `nil`: all that are named.
    var condemnedBy: Timestamp?
}

extension ChunkIndex {
    /// Takes packs out of the index and puts what is left of them where a new pack has it, in one
    /// transaction. The packs are then on the list of those to be removed.
    ///
    /// - Parameter new: a pack that is durable; `nil` when nothing is left of them.
    /// - Returns: whether it was done; it is not when a blob that was to go is needed again, or when
    ///   the new pack is known already.
    func replace(
        _ old: [PackReplacement], by new: (pack: PackName, size: UInt64, header: PackHeader)?
    ) async throws -> Bool {
        do {
            try await sql.write { connection in
                var id: Int64?
                if let new {
                    id = try ChunkIndex.enter(new.pack, size: new.size, connection)
                    guard id != nil else { throw Refusal() }
                }
                let places = Dictionary(
                    (new?.header.entries ?? []).map { ($0.key, $0) },
                    uniquingKeysWith: { first, _ in first })
                for replacement in old {
                    try ChunkIndex.take(replacement, to: id, places, connection)
                }
                if let id { try ChunkIndex.sumUp(id, connection) }
            }
            return true
        } catch is Refusal {
            return false
        }
    }

    private struct Refusal: Error {}

    private static func take(
        _ old: PackReplacement, to new: Int64?, _ places: [BlobKey: PackEntry],
        _ connection: any SQLConnection
    ) throws {
        let name = SQLValue.blob(old.pack.digest.bytes)
        guard
            let id = try connection.first(
                "SELECT id FROM artifact_packs WHERE name = ?", [name], { try $0.int(0) })
        else { throw Refusal() }
        for key in old.moved {
            guard let new, let entry = places[key] else { throw Refusal() }
            try connection.execute(
                """
                UPDATE chunk_index SET pack = ?, blob_offset = ?, stored_length = ?,
                    content_length = ?, codec = ?, stored_check = ?
                WHERE kind = ? AND digest = ? AND pack = ? AND stored_check = ?
                """,
                // Blobs are moved as they stand: what stands there now may be another recipe.
                [.integer(new)] + entry.columns + key.columns
                    + [.integer(id), .blob(entry.check.bytes)])
        }
        for key in old.dropped {
            var arguments = key.columns + [.integer(id)]
            var limit = ""
            if let moment = old.condemnedBy {
                arguments.append(.integer(moment.microseconds))
                limit = " AND condemned_us <= ?"
            }
            try connection.execute(
                "DELETE FROM chunk_index WHERE kind = ? AND digest = ? AND pack = ?" + limit,
                arguments)
        }
        // What is still there was rescued, or came to be known, since it was decided.
        let rest = try connection.first(
            "SELECT COUNT(*) FROM chunk_index WHERE pack = ?", [.integer(id)], { try $0.int(0) })
        guard rest == 0 else { throw Refusal() }
        try connection.execute("DELETE FROM artifact_packs WHERE id = ?", [.integer(id)])
        try connection.execute(
            "INSERT INTO artifact_removals (name) VALUES (?) ON CONFLICT DO NOTHING", [name])
    }

    /// Counts the chunks of a pack anew.
    static func sumUp(_ id: Int64, _ connection: any SQLConnection) throws {
        let kind = SQLValue.integer(Int64(BlobKind.chunk.rawValue))
        try connection.execute(
            """
            UPDATE artifact_packs SET
                chunks = (SELECT COUNT(*) FROM chunk_index WHERE pack = ? AND kind = ?),
                stored_bytes = (SELECT CAST(COALESCE(SUM(stored_length), 0) AS BIGINT)
                    FROM chunk_index WHERE pack = ? AND kind = ?),
                content_bytes = (SELECT CAST(COALESCE(SUM(content_length), 0) AS BIGINT)
                    FROM chunk_index WHERE pack = ? AND kind = ?)
            WHERE id = ?
            """, [.integer(id), kind, .integer(id), kind, .integer(id), kind, .integer(id)])
    }

    /// Packs that are to be removed, at most so many.
    func removals(limit: Int) async throws -> [PackName] {
        try await sql.read { connection in
            try connection.all(
                "SELECT name FROM artifact_removals ORDER BY name LIMIT ?",
                [.integer(Int64(limit))]
            ) { row in
                guard let digest = SHA256Digest(try row.blob(0)) else { throw ChunkIndex.strange }
                return PackName(digest)
            }
        }
    }

    /// Whether a pack is entered.
    func isEntered(_ pack: PackName) async throws -> Bool { try await size(of: pack) != nil }

    /// Bytes of a pack as it was entered; `nil`: it was not.
    func size(of pack: PackName) async throws -> UInt64? {
        try await sql.read { connection in
            try connection.first(
                "SELECT size FROM artifact_packs WHERE name = ?", [.blob(pack.digest.bytes)],
                { UInt64(clamping: try $0.int(0)) })
        }
    }

    /// Takes a pack from the list of those to be removed.
    func endRemoval(_ pack: PackName) async throws {
        _ = try await sql.write {
            try $0.execute(
                "DELETE FROM artifact_removals WHERE name = ?", [.blob(pack.digest.bytes)])
        }
    }
}
