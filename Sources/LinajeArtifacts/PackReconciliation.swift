import LinajeDomain
import LinajePluginKit

/// What was found when packs and index were compared, and put right in the index.
package struct PackReconciliation: Sendable {
    /// Packs looked at.
    package var packs = 0
    /// Packs that the index did not know and that are entered now.
    package var entered: [PackName] = []
    /// Packs whose blobs the index knew only in part, or wrongly, and that are entered anew.
    package var corrected: [PackName] = []
    /// Packs that the index knew and that are gone: it has forgotten them, so that their content can
    /// be stored again.
    package var missing: [PackName] = []
    /// Packs that cannot be read as a whole; the index has forgotten them too.
    package var damaged: [ArtifactDamage] = []
    /// Packs that the disk does not give; left as they are.
    package var unreadable: [ArtifactDamage] = []
    /// What a newer version wrote; left as it is.
    package var tooNew: [ArtifactDamage] = []
}

extension ArtifactStore {
    /// Compares every pack's header with the index and makes the index right. Reads no blobs
    /// (`verify` does), but files of which packs have recipes that differ. What it has done once it finds done the next time.
    package func reconcile() async throws -> PackReconciliation {
        var report = PackReconciliation()
        try await index.beginReconciling()
        var known = try await index.packs()
        var good: [(pack: PackName, size: UInt64, known: UInt64?)] = []
        for object in try await backend.list(prefix: "packs/") {
            guard let pack = PackName(key: object.key) else {
                report.damaged.append(
                    ArtifactDamage(pack: object.key, finding: "its name is no pack's"))
                continue
            }
            report.packs += 1
            do {
                _ = try await reader.header(of: pack, size: object.size)
                let size = known.removeValue(forKey: pack)
                if size == nil { report.entered.append(pack) }
                good.append((pack, object.size, size))
            } catch let error as LinajeError where error.code == .storeTooNew {
                known[pack] = nil
                report.tooNew.append(ArtifactDamage(pack: pack.key, finding: error.message))
            } catch let error as LinajeError where error.code == .storageFailed {
                // The disk does not give it: it may once more, so it is neither moved nor forgotten.
                known[pack] = nil
                report.unreadable.append(ArtifactDamage(pack: pack.key, finding: error.message))
            } catch let error as LinajeError where [.corrupt, .incomplete].contains(error.code) {
                if known.removeValue(forKey: pack) != nil { try await index.forget(pack) }
                report.damaged.append(ArtifactDamage(pack: pack.key, finding: error.message))
            }
        }
        // Before anything is entered: what a lost pack held may stand in another one, too.
        for pack in known.keys.sorted() {
            try await index.forget(pack)
            report.missing.append(pack)
        }
        for (pack, size, known) in good {
            // Read again rather than kept: all headers together are as large as the index.
            let header = try await reader.header(of: pack, size: size)
            let isChanged = try await index.correct(pack, size: size, known: known, header)
            if isChanged, known != nil { report.corrected.append(pack) }
        }
        try await settleDisputes()
        return report
    }
}

extension ChunkIndex {
    /// Forgets a pack and all that is said to be in it.
    func forget(_ pack: PackName) async throws {
        try await sql.write { connection in
            let name = SQLValue.blob(pack.digest.bytes)
            try connection.execute(
                """
                DELETE FROM chunk_index
                WHERE pack IN (SELECT id FROM artifact_packs WHERE name = ?)
                """, [name])
            try connection.execute("DELETE FROM artifact_packs WHERE name = ?", [name])
        }
    }

    /// Makes what the index says of a pack and its blobs right; says whether something was wrong.
    ///
    /// - Parameter known: the size that the index has for the pack; `nil`: it has none.
    func correct(
        _ pack: PackName, size: UInt64, known: UInt64?, _ header: PackHeader
    ) async throws -> Bool {
        var isRight = known == size
        for kind in BlobKind.indexed where isRight {
            let entries = header.entries.filter { $0.key.kind == kind }
            let found = try await locate(kind, entries.map(\.key.digest))
            isRight = entries.allSatisfy { entry in
                guard let place = found[entry.key.digest] else { return false }
                return place.pack != pack
                    || (place.offset == entry.offset && place.storedLength == entry.storedLength
                        && place.contentLength == entry.contentLength
                        && place.codec == entry.codec && place.check == entry.check)
            }
        }
        guard !isRight else { return false }
        if known != nil { try await forget(pack) }
        try await insert(pack, size: size, header)
        return true
    }

    /// Removes blobs of packs that are in no list: the number of such a pack may be given again.
    func beginReconciling() async throws {
        _ = try await sql.write {
            try $0.execute(
                "DELETE FROM chunk_index WHERE pack NOT IN (SELECT id FROM artifact_packs)")
        }
    }
}
