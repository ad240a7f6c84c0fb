package import LinajeDomain
package import LinajePluginKit

/// Where each blob is, in the SQL database. Made from packs and from nothing else.
///
/// ```
/// artifact_packs                         chunk_index
///   id             identity        ◀──┐    kind            1 chunk, 2 recipe, 3 tree ┐ key
///   name           32 bytes, UNIQUE   │    digest          32 bytes                  ┘
///   size           bytes of the pack  └──  pack            artifact_packs.id
///   chunks         chunks that count       blob_offset     bytes from the pack's start
///   stored_bytes   … and their bytes in    stored_length   bytes there
///   content_bytes  the pack and decoded    content_length  bytes decoded
///                                          codec           STORAGE.md, "Packs"
///                                          stored_check    8 bytes, as there
/// ```
/// A blob that stands in several packs has one row, for the pack that was entered first; only
/// there it counts in the sums.
package struct ChunkIndex: Sendable {
    /// Keys in one query; shorter lists are filled up to a power of four, so that few different
    /// statements are prepared.
    private static let keysPerQuery = 256

    let sql: any SQLBackend

    package init(sql: any SQLBackend) { self.sql = sql }

    /// What the backend files the steps under.
    package static let namespace = "artifacts"

    /// All steps, oldest first. A step that was released is never changed.
    package static let migrations = [
        SQLMigration(
            "1 packs and chunk index",
            [
                """
                CREATE TABLE artifact_packs (
                    id {identity},
                    name {blob} NOT NULL UNIQUE,
                    size BIGINT NOT NULL,
                    chunks BIGINT NOT NULL,
                    stored_bytes BIGINT NOT NULL,
                    content_bytes BIGINT NOT NULL
                )
                """,
                """
                CREATE TABLE chunk_index (
                    kind BIGINT NOT NULL,
                    digest {blob} NOT NULL,
                    pack BIGINT NOT NULL REFERENCES artifact_packs (id),
                    blob_offset BIGINT NOT NULL,
                    stored_length BIGINT NOT NULL,
                    content_length BIGINT NOT NULL,
                    codec BIGINT NOT NULL,
                    stored_check {blob} NOT NULL,
                    PRIMARY KEY (kind, digest)
                )
                """,
            ])
    ]

    package func prepare() async throws {
        try await sql.migrate(ChunkIndex.namespace, ChunkIndex.migrations)
    }

    /// Enters a pack and its blobs, in one transaction; again makes no difference.
    package func insert(_ pack: PackName, size: UInt64, _ header: PackHeader) async throws {
        try await sql.write { connection in
            let name = SQLValue.blob(pack.digest.bytes)
            let added = try connection.execute(
                """
                INSERT INTO artifact_packs (name, size, chunks, stored_bytes, content_bytes)
                VALUES (?, ?, 0, 0, 0) ON CONFLICT DO NOTHING
                """, [name, .integer(Int64(clamping: size))])
            guard added == 1 else { return }
            guard
                let id = try connection.first(
                    "SELECT id FROM artifact_packs WHERE name = ?", [name], { try $0.int(0) })
            else {
                throw LinajeError(.internalError, "chunk index lost \(pack.key); try again")
            }
            try ChunkIndex.insert(header.entries, pack: id, connection)
        }
    }

    private static func insert(
        _ entries: [PackEntry], pack id: Int64, _ connection: any SQLConnection
    ) throws {
        var sums: (chunks: Int64, stored: Int64, content: Int64) = (0, 0, 0)
        for entry in entries {
            let added = try connection.execute(
                """
                INSERT INTO chunk_index
                    (kind, digest, pack, blob_offset, stored_length, content_length, codec,
                    stored_check)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
                [
                    .integer(Int64(entry.key.kind.rawValue)), .blob(entry.key.digest.bytes),
                    .integer(id), .integer(Int64(clamping: entry.offset)),
                    .integer(Int64(entry.storedLength)), .integer(Int64(entry.contentLength)),
                    .integer(Int64(entry.codec.rawValue)), .blob(entry.check.bytes),
                ])
            guard added == 1, entry.key.kind == .chunk else { continue }
            sums.chunks += 1
            sums.stored += Int64(entry.storedLength)
            sums.content += Int64(entry.contentLength)
        }
        try connection.execute(
            """
            UPDATE artifact_packs SET chunks = ?, stored_bytes = ?, content_bytes = ? WHERE id = ?
            """,
            [.integer(sums.chunks), .integer(sums.stored), .integer(sums.content), .integer(id)])
    }

    /// Where these blobs of one kind are; those that the index does not know are left out.
    package func locate(
        _ kind: BlobKind, _ digests: [SHA256Digest]
    ) async throws -> [SHA256Digest: BlobLocation] {
        guard !digests.isEmpty else { return [:] }
        return try await sql.read { connection in
            var out: [SHA256Digest: BlobLocation] = [:]
            out.reserveCapacity(digests.count)
            var rest = digests[...]
            while let first = rest.first {
                let part = rest.prefix(ChunkIndex.keysPerQuery)
                rest = rest.dropFirst(part.count)
                var places = 1
                while places < part.count { places *= 4 }
                var arguments: [SQLValue] = [.integer(Int64(kind.rawValue))]
                arguments += part.map { .blob($0.bytes) }
                arguments += Array(repeating: .blob(first.bytes), count: places - part.count)
                let marks = Array(repeating: "?", count: places).joined(separator: ", ")
                try connection.query(
                    """
                    SELECT c.digest, p.name, c.blob_offset, c.stored_length, c.content_length,
                        c.codec, c.stored_check
                    FROM chunk_index c JOIN artifact_packs p ON p.id = c.pack
                    WHERE c.kind = ? AND c.digest IN (\(marks))
                    """, arguments
                ) { row in
                    let location = try ChunkIndex.location(kind, row)
                    out[location.key.digest] = location
                }
            }
            return out
        }
    }

    private static func location(_ kind: BlobKind, _ row: any SQLRow) throws -> BlobLocation {
        guard let digest = SHA256Digest(try row.blob(0)), let pack = SHA256Digest(try row.blob(1)),
            let offset = UInt64(exactly: try row.int(2)),
            let storedLength = UInt32(exactly: try row.int(3)),
            let contentLength = UInt32(exactly: try row.int(4)),
            let codec = UInt8(exactly: try row.int(5)), let check = BlobCheck(try row.blob(6))
        else {
            throw LinajeError(.corrupt, "chunk index holds a row out of bounds; rebuild it")
        }
        return BlobLocation(
            key: BlobKey(kind, digest), pack: PackName(pack), offset: offset,
            storedLength: storedLength, contentLength: contentLength,
            codec: BlobCodec(rawValue: codec), check: check)
    }

    /// The packs that are entered, with their sizes in bytes, in no order.
    package func packs() async throws -> [PackName: UInt64] {
        let rows = try await sql.read { connection in
            try connection.all("SELECT name, size FROM artifact_packs") {
                (name: try $0.blob(0), size: try $0.int(1))
            }
        }
        var out: [PackName: UInt64] = [:]
        for row in rows {
            guard let digest = SHA256Digest(row.name), let size = UInt64(exactly: row.size) else {
                throw LinajeError(.corrupt, "chunk index holds a pack out of bounds; rebuild it")
            }
            out[PackName(digest)] = size
        }
        return out
    }

    package func statistics() async throws -> ArtifactStatistics {
        try await sql.read { connection in
            let sums = try connection.first(
                """
                SELECT COUNT(*), CAST(COALESCE(SUM(chunks), 0) AS BIGINT),
                    CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT),
                    CAST(COALESCE(SUM(content_bytes), 0) AS BIGINT)
                FROM artifact_packs
                """
            ) { row in try (0..<4).map { UInt64(clamping: try row.int($0)) } }
            guard let sums else { return ArtifactStatistics() }
            return ArtifactStatistics(
                chunks: sums[1], storedBytes: sums[2], contentBytes: sums[3], packs: sums[0])
        }
    }

    /// Forgets everything, as the first step of a rebuild.
    package func clear() async throws {
        try await sql.write { connection in
            try connection.execute("DELETE FROM chunk_index")
            try connection.execute("DELETE FROM artifact_packs")
        }
    }
}
