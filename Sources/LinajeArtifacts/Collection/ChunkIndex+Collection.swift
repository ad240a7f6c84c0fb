import LinajeDomain
import LinajePluginKit

/// A blob as the index knows it.
struct IndexedBlob: Sendable {
    var key: BlobKey
    var storedLength: UInt32
    /// Since when nothing needs it, as far as is known; `nil`: something may.
    var condemnedAt: Timestamp?
}

/// A blob of a pack, with where it is.
struct PackedBlob: Sendable {
    var location: BlobLocation
    var condemnedAt: Timestamp?
}

/// How much of a pack nothing has needed for long.
struct CondemnedShare: Sendable {
    var id: Int64
    var pack: PackName
    /// Bytes of the pack, and of what nothing needs in it.
    var size: UInt64
    var condemnedBytes: UInt64
}

extension ChunkIndex {
    /// Rows of one transaction of a collection: commits wait for it.
    static let rowsPerTurn = 1_024

    /// Which of these blobs are there, and whether each is condemned.
    func present(_ kind: BlobKind, _ digests: [SHA256Digest]) async throws
        -> [SHA256Digest: Bool]
    {
        guard !digests.isEmpty else { return [:] }
        return try await sql.read { connection in
            var out: [SHA256Digest: Bool] = [:]
            out.reserveCapacity(digests.count)
            try ChunkIndex.query(
                "SELECT digest, condemned_us FROM chunk_index WHERE kind = ? AND digest IN", kind,
                digests, connection
            ) { row in
                guard let digest = SHA256Digest(try row.blob(0)) else { throw ChunkIndex.strange }
                out[digest] = !row.isNull(1)
            }
            return out
        }
    }

    /// Which of these blobs are there to be counted on: condemned ones are rescued first.
    func claim(
        _ kind: BlobKind, _ digests: [SHA256Digest], _ observer: WaypointObserver? = nil
    ) async throws -> Set<SHA256Digest> {
        let found = try await present(kind, digests)
        try await observer?(.located)
        let condemned = found.filter(\.value).map(\.key)
        guard !condemned.isEmpty else { return Set(found.keys) }
        let rescued = try await rescue(kind, condemned)
        try await observer?(.rescued)
        return Set(found.filter { !$0.value }.map(\.key)).union(rescued)
    }

    /// Notes that somebody counts on blobs, and rescues those that are condemned.
    func claim(_ kind: BlobKind, _ digests: [SHA256Digest], noting uses: BlobUses) async throws {
        uses.note(kind, digests)
        _ = try await claim(kind, digests)
    }

    /// Takes the condemnation of blobs back.
    ///
    /// - Returns: those that are there now and not condemned; the others are gone.
    func rescue(_ kind: BlobKind, _ digests: [SHA256Digest]) async throws -> Set<SHA256Digest> {
        var saved: Set<SHA256Digest> = []
        for start in stride(from: 0, to: digests.count, by: ChunkIndex.rowsPerTurn) {
            let part = digests[start..<min(start + ChunkIndex.rowsPerTurn, digests.count)]
            saved.formUnion(
                try await sql.write { connection in
                    var saved: Set<SHA256Digest> = []
                    for digest in part
                    where try ChunkIndex.rescue(BlobKey(kind, digest), connection) {
                        saved.insert(digest)
                    }
                    return saved
                })
        }
        return saved
    }

    /// - Returns: whether the blob is there.
    @discardableResult
    static func rescue(_ key: BlobKey, _ connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE chunk_index SET condemned_us = NULL WHERE kind = ? AND digest = ?",
            key.columns) > 0
    }

    /// The next blobs in the order of kind and digest.
    func blobs(of kind: BlobKind, after last: SHA256Digest?) async throws -> [IndexedBlob] {
        try await sql.read { connection in
            try connection.all(
                """
                SELECT digest, stored_length, condemned_us FROM chunk_index
                WHERE kind = ? AND digest > ? ORDER BY digest LIMIT ?
                """,
                [
                    .integer(Int64(kind.rawValue)), .blob(last?.bytes ?? []),
                    .integer(Int64(ChunkIndex.rowsPerTurn)),
                ]
            ) { row in
                guard let digest = SHA256Digest(try row.blob(0)),
                    let length = UInt32(exactly: try row.int(1))
                else { throw ChunkIndex.strange }
                return IndexedBlob(
                    key: BlobKey(kind, digest), storedLength: length,
                    condemnedAt: try row.moment(2))
            }
        }
    }

    /// How many blobs there are.
    func blobCount() async throws -> Int {
        try await sql.read { connection in
            Int(
                clamping: try connection.first("SELECT COUNT(*) FROM chunk_index", []) {
                    try $0.int(0)
                } ?? 0)
        }
    }

    /// Condemns blobs that are not condemned yet, in one transaction.
    ///
    /// - Parameter isNeeded: asked for each inside the transaction.
    /// - Returns: those that it condemned.
    func condemn(
        _ keys: [BlobKey], at moment: Timestamp,
        unless isNeeded: @Sendable @escaping (BlobKey, any SQLConnection) throws -> Bool
    ) async throws -> [BlobKey] {
        try await sql.write { connection in
            try keys.filter { key in
                guard try !isNeeded(key, connection) else { return false }
                return try connection.execute(
                    """
                    UPDATE chunk_index SET condemned_us = ?
                    WHERE kind = ? AND digest = ? AND condemned_us IS NULL
                    """, [.integer(moment.microseconds)] + key.columns) > 0
            }
        }
    }

    /// The next condemned blobs, by pack, kind and digest.
    func condemned(after last: CondemnedPlace?) async throws -> [(CondemnedPlace, IndexedBlob)] {
        try await sql.read { connection in
            try connection.all(
                """
                SELECT pack, kind, digest, stored_length, condemned_us FROM chunk_index
                WHERE condemned_us IS NOT NULL AND (pack, kind, digest) > (?, ?, ?)
                ORDER BY pack, kind, digest LIMIT ?
                """,
                [
                    .integer(last?.pack ?? .min), .integer(Int64(last?.key.kind.rawValue ?? 0)),
                    .blob(last?.key.digest.bytes ?? []),
                    .integer(Int64(ChunkIndex.rowsPerTurn)),
                ]
            ) { row in
                guard let kind = UInt8(exactly: try row.int(1)).flatMap({ BlobKind(rawValue: $0) }),
                    let digest = SHA256Digest(try row.blob(2)),
                    let length = UInt32(exactly: try row.int(3))
                else { throw ChunkIndex.strange }
                let key = BlobKey(kind, digest)
                return (
                    CondemnedPlace(pack: try row.int(0), key: key),
                    IndexedBlob(
                        key: key, storedLength: length, condemnedAt: try row.moment(4))
                )
            }
        }
    }

    /// How much of each pack has been condemned by a moment; packs without anything are left out.
    func condemnedShares(by moment: Timestamp) async throws -> [CondemnedShare] {
        try await sql.read { connection in
            try connection.all(
                """
                SELECT c.pack, p.name, p.size, CAST(SUM(c.stored_length) AS BIGINT)
                FROM chunk_index c JOIN artifact_packs p ON p.id = c.pack
                WHERE c.condemned_us IS NOT NULL AND c.condemned_us <= ?
                GROUP BY c.pack, p.name, p.size ORDER BY c.pack
                """, [.integer(moment.microseconds)]
            ) { row in
                guard let name = SHA256Digest(try row.blob(1)) else { throw ChunkIndex.strange }
                return CondemnedShare(
                    id: try row.int(0), pack: PackName(name),
                    size: UInt64(clamping: try row.int(2)),
                    condemnedBytes: UInt64(clamping: try row.int(3)))
            }
        }
    }

    /// The blobs that the index says are in a pack, in the order in which they lie there.
    func blobs(in pack: PackName) async throws -> [PackedBlob] {
        try await sql.read { connection in
            var out: [PackedBlob] = []
            for kind in BlobKind.indexed {
                try connection.query(
                    """
                    SELECT c.digest, p.name, c.blob_offset, c.stored_length, c.content_length,
                        c.codec, c.stored_check, c.condemned_us
                    FROM artifact_packs p JOIN chunk_index c ON c.pack = p.id
                    WHERE p.name = ? AND c.kind = ?
                    """, [.blob(pack.digest.bytes), .integer(Int64(kind.rawValue))]
                ) { row in
                    out.append(
                        PackedBlob(
                            location: try ChunkIndex.location(kind, row),
                            condemnedAt: try row.moment(7)))
                }
            }
            return out.sorted { $0.location.offset < $1.location.offset }
        }
    }

    static let strange = LinajeError(
        .corrupt,
        "chunk index holds a row out of bounds; rebuild it with linaje fsck --rebuild-index")
}

/// Where a condemned blob stands in the list of them.
struct CondemnedPlace: Sendable {
    /// `artifact_packs.id`
    var pack: Int64
    var key: BlobKey
}

extension BlobKey {
    /// The columns of the primary key.
    var columns: [SQLValue] { [.integer(Int64(kind.rawValue)), .blob(digest.bytes)] }
}

extension SQLRow {
    /// A moment, or `nil` for NULL.
    func moment(_ index: Int) throws -> Timestamp? {
        isNull(index) ? nil : Timestamp(microseconds: try int(index))
    }
}
