import LinajeDomain
import LinajePluginKit

/// Files of which the index met two recipes that differ, and does not know which one is right.
extension ChunkIndex {
    func beginDispute(_ file: SHA256Digest) async throws {
        _ = try await sql.write { try ChunkIndex.beginDispute(file, $0) }
    }

    static func beginDispute(
        _ file: SHA256Digest, _ connection: any SQLConnection
    ) throws {
        try connection.execute(
            "INSERT INTO artifact_disputes (file) VALUES (?) ON CONFLICT DO NOTHING",
            [.blob(file.bytes)])
    }

    func endDispute(_ file: SHA256Digest) async throws {
        _ = try await sql.write { try ChunkIndex.endDispute(file, $0) }
    }

    static func endDispute(_ file: SHA256Digest, _ connection: any SQLConnection) throws {
        try connection.execute(
            "DELETE FROM artifact_disputes WHERE file = ?", [.blob(file.bytes)])
    }

    /// The next files in dispute, in the order of their digests.
    func disputes(after last: SHA256Digest?, limit: Int) async throws -> [SHA256Digest] {
        try await sql.read { connection in
            try connection.all(
                "SELECT file FROM artifact_disputes WHERE file > ? ORDER BY file LIMIT ?",
                [.blob(last?.bytes ?? []), .integer(Int64(limit))]
            ) { row in
                guard let file = SHA256Digest(try row.blob(0)) else { throw ChunkIndex.strange }
                return file
            }
        }
    }

    func allDisputes() async throws -> Set<SHA256Digest> {
        Set(try await disputes(after: nil, limit: .max))
    }

    /// Whether the recipe that is known of a file reads otherwise.
    static func isDisputed(
        _ entry: PackEntry, _ connection: any SQLConnection
    ) throws -> Bool {
        guard entry.key.kind == .recipe else { return false }
        return try connection.first(
            "SELECT 1 FROM chunk_index WHERE kind = ? AND digest = ? AND stored_check <> ?",
            entry.key.columns + [.blob(entry.check.bytes)]
        ) { _ in true } ?? false
    }

    /// Puts a recipe of a pack in the place of another one of the same file.
    ///
    /// - Returns: whether it is there now; not when the pack is not entered any more.
    func supersede(_ entry: PackEntry, in pack: PackName) async throws -> Bool {
        try await sql.write { connection in
            guard let id = try ChunkIndex.id(of: pack, connection) else { return false }
            return try ChunkIndex.supersede(entry, pack: id, connection)
        }
    }

    @discardableResult
    static func supersede(
        _ entry: PackEntry, pack id: Int64, _ connection: any SQLConnection
    ) throws -> Bool {
        try connection.execute(
            """
            UPDATE chunk_index SET pack = ?, blob_offset = ?, stored_length = ?,
                content_length = ?, codec = ?, stored_check = ?, condemned_us = NULL
            WHERE kind = ? AND digest = ?
            """, [.integer(id)] + entry.columns + entry.key.columns) > 0
    }

    static func id(of pack: PackName, _ connection: any SQLConnection) throws -> Int64? {
        try connection.first(
            "SELECT id FROM artifact_packs WHERE name = ?", [.blob(pack.digest.bytes)],
            { try $0.int(0) })
    }
}
