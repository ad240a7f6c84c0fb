import LinajeDomain
import LinajePluginKit

/// Puts hurt packs right, as far as that can be.
///
/// A pack whose bytes have changed is copied to `quarantine/`; its blobs that are right go to a new
/// pack; those that are not are looked for in other packs, and forgotten where there is no other, so
/// that the same content can be put again.
struct PackRepair {
    private static let pieceBytes: UInt64 = 4 << 20
    /// Lost blobs that are looked for at a time.
    private static let lostAtATime = 262_144

    let store: ArtifactStore

    /// Repairs packs, each by itself.
    func run(
        _ hurt: [HurtPack], _ sum: inout CheckSum,
        _ report: (CheckNews) async throws -> Void
    ) async throws {
        var lost: [BlobKey: String] = [:]
        let packs = Set(hurt.compactMap(\.pack))
        for found in hurt where found.hurt != .unreadable {
            var done: (text: String, isRight: Bool)
            do {
                done = try await repair(found, among: packs, &lost)
            } catch let error as LinajeError
                where [.corrupt, .incomplete, .storageFailed].contains(error.code)
            {
                done = ("left as it is: \(error.message)", false)
            }
            for finding in found.findings {
                sum.repaired += done.isRight ? 1 : 0
                try await report(
                    .finding(
                        CheckFinding(
                            object: found.key, finding: finding, repair: done.text,
                            isRepaired: done.isRight)))
            }
            if lost.count >= Self.lostAtATime { try await find(&lost, &sum, report) }
        }
        try await find(&lost, &sum, report)
        try await PackRemoval(store: store).run()
    }

    private func repair(
        _ found: HurtPack, among hurt: Set<PackName>, _ lost: inout [BlobKey: String]
    ) async throws -> (text: String, isRight: Bool) {
        guard let pack = found.pack else {
            try await quarantine(found.key)
            try await store.backend.remove(found.key)
            return ("moved to quarantine/", true)
        }
        switch found.hurt {
        case .index:
            try await renew(pack)
            return ("entered anew", true)
        case .gone:
            for blob in try await store.index.blobs(in: pack) {
                lost[blob.location.key] = pack.key
            }
            await store.sink.forget(Array(lost.keys))
            try await store.index.forget(pack)
            return ("forgotten, so that its content can be put again", false)
        case .content: return try await salvage(pack, among: hurt, &lost)
        case .unreadable: return ("left as it is", false)
        }
    }

    /// Saves what is right of a pack, and what another hurt pack may need of it.
    private func salvage(
        _ pack: PackName, among hurt: Set<PackName>, _ lost: inout [BlobKey: String]
    ) async throws -> (text: String, isRight: Bool) {
        let blobs = try await store.index.blobs(in: pack).map(\.location)
        try await quarantine(pack.key)
        guard try await store.index.isEntered(pack) else {
            try await store.backend.remove(pack.key)
            return ("moved to quarantine/; nothing was known to be in it", true)
        }
        var good: [BlobLocation] = []
        var bad: [BlobKey] = []
        for blob in blobs {
            let stored = try await store.reader.bytes(of: pack, blob.range)
            if try await isRight(stored, blob, store.reader) {
                good.append(blob)
            } else {
                bad.append(blob.key)
            }
        }
        let saved = good.count
        good += try await secondCopies(in: pack, besides: blobs, of: hurt)
        good.sort { $0.offset < $1.offset }
        var rewriter = PackRewriter(store: store)
        try await rewriter.add(pack, keeping: good, dropping: bad, condemnedBy: nil)
        if bad.isEmpty, try await rewriter.restore(pack) {
            return ("written anew; the damaged one is in quarantine/", true)
        }
        guard try await rewriter.finish() != nil else {
            throw LinajeError(
                .incomplete, "\(pack.key) changed while it was repaired; run linaje fsck again")
        }
        for key in bad { lost[key] = pack.key }
        return (
            "moved to quarantine/; \(saved) of its \(blobs.count) blobs are saved", bad.isEmpty
        )
    }

    /// Blobs of a pack that are right and that the index has in another pack, which is hurt: it may be
    /// there that they are bad.
    private func secondCopies(
        in pack: PackName, besides blobs: [BlobLocation], of hurt: Set<PackName>
    ) async throws -> [BlobLocation] {
        guard hurt.count > 1, let header = try? await store.originals.header(of: pack) else {
            return []
        }
        let known = Set(blobs.map(\.key))
        var copies: [BlobLocation] = []
        for kind in BlobKind.indexed {
            let others = header.entries.filter { $0.key.kind == kind && !known.contains($0.key) }
            let places = try await store.index.locate(kind, others.map(\.key.digest))
            for entry in others {
                guard let place = places[entry.key.digest], hurt.contains(place.pack) else {
                    continue
                }
                let copy = BlobLocation(entry, in: pack)
                let stored = try await store.reader.bytes(of: pack, copy.range)
                if try await isRight(stored, copy, store.reader) { copies.append(copy) }
            }
        }
        return copies
    }

    /// Whether a blob is as it was written, and what it needs too.
    ///
    /// - Throws: only what says nothing of the blob.
    private func isRight(
        _ stored: [UInt8], _ location: BlobLocation, _ reader: BlobReader
    ) async throws -> Bool {
        let dictionary: CompressionDictionary?
        do {
            dictionary = try await reader.dictionaries(for: [location]).first ?? nil
        } catch let error as LinajeError
            where [.corrupt, .incomplete, .storeTooNew].contains(error.code)
        {
            return false
        }
        return try await store.pool.run {
            (try? BlobReader.content(stored, at: location, dictionary: dictionary)) != nil
        }
    }

    /// Looks for other copies of lost blobs in all packs.
    private func find(
        _ lost: inout [BlobKey: String], _ sum: inout CheckSum,
        _ report: (CheckNews) async throws -> Void
    ) async throws {
        guard !lost.isEmpty else { return }
        for pack in try await store.index.packs().keys.sorted() where !lost.isEmpty {
            guard let header = try? await store.originals.header(of: pack) else { continue }
            for entry in header.entries where lost[entry.key] != nil {
                let location = BlobLocation(entry, in: pack)
                guard let stored = try? await store.originals.bytes(of: pack, location.range),
                    (try? await isRight(stored, location, store.originals)) == true,
                    let old = lost.removeValue(forKey: entry.key)
                else { continue }
                try await store.index.adopt(entry, in: pack)
                sum.repaired += 1
                sum.findings += 1
                try await report(
                    .finding(
                        CheckFinding(
                            object: old, finding: "\(entry.key) is lost in it",
                            repair: "found again in \(pack.key)", isRepaired: true)))
            }
        }
        for (key, pack) in lost.sorted(by: { $0.key.digest < $1.key.digest }) {
            sum.findings += 1
            try await report(
                .finding(
                    CheckFinding(
                        object: pack, finding: "\(key) is lost, and in no other pack",
                        repair: "forgotten, so that it can be put again")))
        }
        lost = [:]
    }

    /// Copies an object to `quarantine/`.
    private func quarantine(_ key: String) async throws {
        guard let size = try await store.backend.stat(key) else { return }
        let copy = "quarantine/" + key.dropFirst("packs/".count)
        let writer = try await store.backend.put(copy)
        do {
            var start: UInt64 = 0
            while start < size {
                let end = min(size, start + Self.pieceBytes)
                try await writer.write(try await store.backend.get(key, range: start..<end))
                start = end
            }
            try await writer.commit()
        } catch {
            await writer.abort()
            throw error
        }
    }

    // MARK: Index

    /// Makes the index anew, pack by pack, so that nothing is missing from it meanwhile.
    func rebuildIndex(
        _ sum: inout CheckSum, _ report: (CheckNews) async throws -> Void
    ) async throws {
        let objects = try await store.backend.list(prefix: "packs/")
        sum.totalPacks = UInt64(objects.count)
        for object in objects {
            guard let pack = PackName(key: object.key) else { continue }
            do {
                try await renew(pack)
            } catch let error as LinajeError
                where [.corrupt, .incomplete, .storeTooNew, .storageFailed].contains(error.code)
            {
                // The check that follows names it.
            }
            sum.packs += 1
            try await report(.progress(sum))
        }
        sum = CheckSum()
    }

    private func renew(_ pack: PackName) async throws {
        try await store.locks.hold(pack) {
            guard let size = try await store.backend.stat(pack.key) else { return }
            let header = try await store.originals.header(of: pack, size: size)
            try await store.index.renew(pack, size: size, header)
        }
    }
}

extension PackRewriter {
    /// Writes the pack in the place of the old one when all of that is left.
    ///
    /// - Returns: whether it was.
    mutating func restore(_ pack: PackName) async throws -> Bool {
        let sealed = try sealedCopy()
        guard sealed.name == pack else { return false }
        try await store.locks.hold(pack) { try await store.backend.write(sealed) }
        return true
    }
}

extension ChunkIndex {
    /// Makes what is known of a pack what its header says, in one transaction.
    func renew(_ pack: PackName, size: UInt64, _ header: PackHeader) async throws {
        try await sql.write { connection in
            var id = try ChunkIndex.enter(pack, size: size, connection)
            if id == nil {
                id = try ChunkIndex.id(of: pack, connection)
                if let id {
                    try connection.execute(
                        "DELETE FROM chunk_index WHERE pack = ?", [.integer(id)])
                    try connection.execute(
                        "UPDATE artifact_packs SET size = ? WHERE id = ?",
                        [.integer(Int64(clamping: size)), .integer(id)])
                }
            }
            guard let id else { throw ChunkIndex.strange }
            try ChunkIndex.insert(header.entries, pack: id, connection)
        }
    }

    /// Enters one blob of a pack that is entered, unless it is known elsewhere.
    func adopt(_ entry: PackEntry, in pack: PackName) async throws {
        try await sql.write { connection in
            guard let id = try ChunkIndex.id(of: pack, connection) else { return }
            try ChunkIndex.insert([entry], pack: id, connection)
            // Of a recipe nobody knows whether it is as right as the one that was lost.
            if entry.key.kind == .recipe {
                try ChunkIndex.beginDispute(entry.key.digest, connection)
            }
            try ChunkIndex.sumUp(id, connection)
        }
    }
}
