import LinajeDomain
import LinajePluginKit
import Logging

extension ArtifactStore {
    /// Enters packs that the index does not know: a daemon died, or had no room for the index, after
    /// it had written them and before it had entered them. Nothing needs them, but only what is entered
    /// is collected one day.
    ///
    /// What cannot be read as a pack is left as it is, for a check to name. At the start of a daemon,
    /// after `prepare`.
    package func enterStrays() async throws {
        // Where listing costs requests, a check finds them.
        guard !backend.properties.isRemote else { return }
        let known = try await index.packs()
        for object in try await backend.list(prefix: "packs/") {
            guard let pack = PackName(key: object.key), known[pack] == nil else { continue }
            // One that is on the list of removals is no stray, and is removed by the next collection.
            guard try await !index.isToBeRemoved(pack) else { continue }
            let header: PackHeader
            do {
                header = try await reader.header(of: pack, size: object.size)
            } catch let error as LinajeError
                where [.corrupt, .incomplete, .storeTooNew].contains(error.code)
            {
                logger.error("\(pack.key) is unknown and cannot be entered: \(error)")
                continue
            }
            let isNews = try await locks.hold(pack) {
                try await index.enterStray(pack, size: object.size, header)
            }
            logger.info(
                "\(pack.key) was left by a daemon that died: \(isNews ? "entered" : "let go")")
        }
    }
}

extension ChunkIndex {
    func isToBeRemoved(_ pack: PackName) async throws -> Bool {
        try await sql.read { connection in
            try connection.first(
                "SELECT 1 FROM artifact_removals WHERE name = ?", [.blob(pack.digest.bytes)]
            ) { _ in true } ?? false
        }
    }

    /// Enters a pack, or lets it go when all that is in it is known elsewhere: no blob would lead to
    /// it, so it would stay for ever.
    ///
    /// - Returns: whether it is entered.
    func enterStray(_ pack: PackName, size: UInt64, _ header: PackHeader) async throws -> Bool {
        try await sql.write { connection in
            let isNews = try header.blobs.contains { entry in
                try connection.first(
                    "SELECT 1 FROM chunk_index WHERE kind = ? AND digest = ?", entry.key.columns
                ) { _ in true } == nil
            }
            guard isNews else {
                try connection.execute(
                    "INSERT INTO artifact_removals (name) VALUES (?) ON CONFLICT DO NOTHING",
                    [.blob(pack.digest.bytes)])
                return false
            }
            guard let id = try ChunkIndex.enter(pack, size: size, connection) else { return true }
            try ChunkIndex.insert(header.entries, pack: id, connection)
            return true
        }
    }
}
