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
/// artifact_removals                        condemned_us?   since when nothing needs it
///   name           packs to be removed, which nothing refers to
/// artifact_disputes
///   file           files of which packs have recipes that differ, and nobody knows which is right
/// artifact_upkeep  task, begun_us, ended_us, bytes, total_bytes, findings, message, place:
///                  the last collection, scrub and check
/// ```
/// A blob that stands in several packs has one row, for the pack that was entered first, or of a recipe
/// for the one that is right (`RecipeDisputes`); only there it counts in the sums. Condemned blobs
/// count too, and are read like others until their pack goes.
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
            ]),
        SQLMigration(
            "2 collection",
            [
                "ALTER TABLE chunk_index ADD COLUMN condemned_us BIGINT",
                "CREATE INDEX IF NOT EXISTS chunk_index_by_pack ON chunk_index (pack)",
                """
                CREATE INDEX chunk_index_condemned ON chunk_index (pack, kind, digest)
                    WHERE condemned_us IS NOT NULL
                """,
                "CREATE TABLE artifact_removals (name {blob} NOT NULL PRIMARY KEY)",
                """
                CREATE TABLE artifact_upkeep (
                    task TEXT NOT NULL PRIMARY KEY,
                    begun_us BIGINT NOT NULL,
                    ended_us BIGINT NOT NULL,
                    bytes BIGINT NOT NULL,
                    total_bytes BIGINT NOT NULL,
                    findings BIGINT NOT NULL,
                    message TEXT NOT NULL,
                    place TEXT NOT NULL
                )
                """,
            ]),
        SQLMigration(
            "3 disputes",
            ["CREATE TABLE artifact_disputes (file {blob} NOT NULL PRIMARY KEY)"]),
    ]

    package func prepare() async throws {
        try await sql.migrate(ChunkIndex.namespace, ChunkIndex.migrations)
    }

    /// Enters a pack and its blobs, in one transaction; again makes no difference.
    ///
    /// - Parameter isOurs: whether its recipes were cut here from the files themselves: they take the
    ///   place of others, which may have come in a remote's pack.
    /// - Returns: files of which another recipe was known; unless it is ours now, they are in dispute.
    @discardableResult
    package func insert(
        _ pack: PackName, size: UInt64, _ header: PackHeader, isOurs: Bool = false
    ) async throws -> [SHA256Digest] {
        try await sql.write { connection in
            if let id = try ChunkIndex.enter(pack, size: size, connection) {
                return try ChunkIndex.insert(header.entries, pack: id, isOurs: isOurs, connection)
            }
            guard isOurs, let id = try ChunkIndex.id(of: pack, connection) else { return [] }
            // It stood in a pack of that name already, which is not the one that counts.
            return try ChunkIndex.meet(header.entries, pack: id, isOurs: true, connection)
        }
    }

    /// Enters a pack without its blobs, which is then not to be removed any more.
    ///
    /// - Returns: its number; `nil` when it is entered already.
    static func enter(
        _ pack: PackName, size: UInt64, _ connection: any SQLConnection
    ) throws -> Int64? {
        let name = SQLValue.blob(pack.digest.bytes)
        let added = try connection.execute(
            """
            INSERT INTO artifact_packs (name, size, chunks, stored_bytes, content_bytes)
            VALUES (?, ?, 0, 0, 0) ON CONFLICT DO NOTHING
            """, [name, .integer(Int64(clamping: size))])
        guard added == 1 else { return nil }
        try connection.execute("DELETE FROM artifact_removals WHERE name = ?", [name])
        guard let id = try ChunkIndex.id(of: pack, connection) else {
            throw LinajeError(.internalError, "chunk index lost \(pack.key); try again")
        }
        return id
    }

    /// Enters blobs of a pack. One that is there already stays where it is; whoever stores it again
    /// needs it, so it is not condemned any more.
    ///
    /// - Returns: files of which another recipe was known.
    @discardableResult
    static func insert(
        _ entries: [PackEntry], pack id: Int64, isOurs: Bool = false,
        _ connection: any SQLConnection
    ) throws -> [SHA256Digest] {
        var sums: (chunks: Int64, stored: Int64, content: Int64) = (0, 0, 0)
        var disputed: [SHA256Digest] = []
        for entry in entries where entry.key.kind != .dictionary {
            let added = try connection.execute(
                """
                INSERT INTO chunk_index
                    (kind, digest, pack, blob_offset, stored_length, content_length, codec,
                    stored_check)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
                entry.key.columns + [.integer(id)] + entry.columns)
            if added == 0 {
                try ChunkIndex.rescue(entry.key, connection)
                disputed += try ChunkIndex.meet([entry], pack: id, isOurs: isOurs, connection)
            }
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
        return disputed
    }

    /// What becomes of recipes that read otherwise than those that are known of the same files.
    ///
    /// - Returns: those files.
    private static func meet(
        _ entries: [PackEntry], pack id: Int64, isOurs: Bool, _ connection: any SQLConnection
    ) throws -> [SHA256Digest] {
        var files: [SHA256Digest] = []
        for entry in entries where try isDisputed(entry, connection) {
            files.append(entry.key.digest)
            if isOurs {
                try supersede(entry, pack: id, connection)
                try endDispute(entry.key.digest, connection)
            } else {
                try beginDispute(entry.key.digest, connection)
            }
        }
        return files
    }

    /// Where these blobs of one kind are; those that the index does not know are left out.
    package func locate(
        _ kind: BlobKind, _ digests: [SHA256Digest]
    ) async throws -> [SHA256Digest: BlobLocation] {
        guard !digests.isEmpty else { return [:] }
        return try await sql.read { connection in
            var out: [SHA256Digest: BlobLocation] = [:]
            out.reserveCapacity(digests.count)
            try ChunkIndex.query(
                """
                SELECT c.digest, p.name, c.blob_offset, c.stored_length, c.content_length,
                    c.codec, c.stored_check
                FROM chunk_index c JOIN artifact_packs p ON p.id = c.pack
                WHERE c.kind = ? AND c.digest IN
                """, kind, digests, connection
            ) { row in
                let location = try ChunkIndex.location(kind, row)
                out[location.key.digest] = location
            }
            return out
        }
    }

    /// Runs a query that ends with "kind = ? AND digest IN", in parts.
    static func query(
        _ sql: String, _ kind: BlobKind, _ digests: [SHA256Digest],
        _ connection: any SQLConnection, row: (any SQLRow) throws -> Void
    ) throws {
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
            try connection.query("\(sql) (\(marks))", arguments, row: row)
        }
    }

    static func location(_ kind: BlobKind, _ row: any SQLRow) throws -> BlobLocation {
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
            try connection.execute("DELETE FROM artifact_removals")
            try connection.execute("DELETE FROM artifact_disputes")
        }
    }
}

extension PackEntry {
    /// The columns of the index beside the key and the pack: `blob_offset`, `stored_length`,
    /// `content_length`, `codec`, `stored_check`.
    var columns: [SQLValue] {
        [
            .integer(Int64(clamping: offset)), .integer(Int64(storedLength)),
            .integer(Int64(contentLength)), .integer(Int64(codec.rawValue)), .blob(check.bytes),
        ]
    }
}
