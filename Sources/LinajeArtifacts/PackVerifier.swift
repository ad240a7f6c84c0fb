import LinajeDomain
import LinajePluginKit

/// Reads every byte of every pack and says what is not as it was written.
struct PackVerifier: Sendable {
    /// Stored bytes that are fetched at a time (but for one blob).
    private static let groupBytes: UInt64 = 4 << 20
    /// A blob of more stored or decoded bytes is checked in pieces, and a tree not read as one.
    private static let wholeBytes = 64 << 20

    let backend: any ArtifactBackend
    let index: ChunkIndex
    let reader: BlobReader
    let pool: WorkerPool

    /// All packs, and those that the index knows and that are not there.
    func verify() async throws -> ArtifactVerification {
        try await verify(missing: try await index.packs())
    }

    /// - Parameter missing: packs that must be there.
    func verify(missing: [PackName: UInt64]) async throws -> ArtifactVerification {
        var report = ArtifactVerification()
        var missing = missing
        for object in try await backend.list(prefix: "packs/") {
            guard let pack = PackName(key: object.key) else {
                report.damages.append(
                    ArtifactDamage(pack: object.key, finding: "its name is no pack's"))
                continue
            }
            missing[pack] = nil
            report.packs += 1
            do {
                let found = try await verify(pack, size: object.size) { _ in }
                report.blobs += found.blobs
                report.damages += found.damages
            } catch let error as LinajeError {
                // A store that does not answer is an error of this call, not of the pack.
                guard [.corrupt, .storeTooNew, .incomplete].contains(error.code) else {
                    throw error
                }
                report.damages.append(ArtifactDamage(pack: pack.key, finding: error.message))
            }
        }
        for pack in missing.keys.sorted() {
            report.damages.append(ArtifactDamage(pack: pack.key, finding: "the pack is gone"))
        }
        return report
    }

    /// Reads a whole pack.
    ///
    /// - Parameter read: told of bytes that were read, as they are.
    /// - Returns: how many blobs are right, and what is not.
    /// - Throws: `corrupt`, `incomplete`, `storeTooNew` for a pack whose header cannot be read.
    func verify(
        _ pack: PackName, size: UInt64, read: (UInt64) async throws -> Void
    ) async throws -> (blobs: Int, damages: [ArtifactDamage]) {
        var good = 0
        var found: [ArtifactDamage] = []
        let magic = try await reader.bytes(of: pack, PackHeader.magicRange)
        if magic != PackHeader.magic {
            found.append(
                ArtifactDamage(pack: pack.key, finding: "it does not begin as packs do"))
        }
        var rest = try await reader.header(of: pack, size: size).entries[...]
        var decoder = PackDecoder(pack)
        while let first = rest.first {
            if Self.isLong(first) {
                rest = rest.dropFirst()
                let damage = try await longDamage(first, pack, read: read)
                good += damage == nil ? 1 : 0
                found += damage.map { [$0] } ?? []
                continue
            }
            var end = first.offset
            let group = rest.prefix { entry in
                let next = entry.offset + UInt64(entry.storedLength)
                guard !Self.isLong(entry) else { return false }
                guard end == first.offset || next - first.offset <= PackVerifier.groupBytes else {
                    return false
                }
                end = next
                return true
            }
            rest = rest.dropFirst(group.count)
            let bytes = try await reader.bytes(of: pack, first.offset..<end)
            let entries = Array(group)
            let before = decoder
            let (damages, after) = try await pool.run {
                var decoder = before
                let damages = entries.compactMap {
                    PackVerifier.damage($0, pack, bytes, from: first.offset, &decoder)
                }
                return (damages, decoder)
            }
            decoder = after
            good += entries.count - damages.count
            found += damages
            try await read(UInt64(bytes.count))
        }
        return (good, found)
    }

    private static func isLong(_ entry: PackEntry) -> Bool {
        max(entry.storedLength, entry.contentLength) > wholeBytes
    }

    /// What is wrong with a long blob, or `nil`.
    ///
    /// - Throws: only what says nothing of the blob.
    private func longDamage(
        _ entry: PackEntry, _ pack: PackName, read: (UInt64) async throws -> Void
    ) async throws -> ArtifactDamage? {
        do {
            try await PackReading(source: reader, pool: pool).readLong(entry, of: pack) {
                try await read(UInt64($0.count))
            }
            return nil
        } catch let error as LinajeError where [.corrupt, .storeTooNew].contains(error.code) {
            return ArtifactDamage(pack: pack.key, blob: entry.key, finding: error.message)
        }
    }

    /// What is wrong with a blob, or `nil`.
    private static func damage(
        _ entry: PackEntry, _ pack: PackName, _ bytes: [UInt8], from start: UInt64,
        _ decoder: inout PackDecoder
    ) -> ArtifactDamage? {
        do {
            let content = try decoder.content(entry, of: bytes, from: start)
            if entry.key.kind == .tree { _ = try Tree(canonical: content) }
            return nil
        } catch {
            let message = (error as? LinajeError)?.message ?? "\(error)"
            return ArtifactDamage(pack: pack.key, blob: entry.key, finding: message)
        }
    }
}
