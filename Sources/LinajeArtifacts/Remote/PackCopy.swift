import LinajeDomain
import LinajePluginKit

/// Copies a pack from one store to another, and believes none of its bytes before they are checked:
/// the header against the pack's name, each blob against its check and its key, and the header once
/// more as the destination gives it back. A pack is copied in pieces, however long its blobs are.
struct PackCopy: Sendable {
    let source: BlobReader
    let destination: any ArtifactBackend
    /// Reads the destination.
    let proof: BlobReader
    let pool: WorkerPool

    /// - Returns: the pack's header, for the index.
    /// - Throws: `corrupt` or `incomplete` for a pack that is not what its name says: then nothing
    ///   of it is at the destination.
    func copy(_ pack: PackName, size: UInt64) async throws -> PackHeader {
        let header = try await source.header(of: pack, size: size)
        var named: Set<BlobKey> = []
        for entry in header.blobs where !named.insert(entry.key).inserted {
            throw PackHeader.corrupt(pack, "lists \(entry.key) twice")
        }
        let writer = try await destination.put(pack.key)
        do {
            try await write(pack, header, to: writer)
            try await writer.commit()
        } catch {
            await writer.abort()
            throw error
        }
        guard try await destination.stat(pack.key) == size,
            try await proof.header(of: pack, size: size) == header
        else {
            throw LinajeError(
                .storageFailed,
                "\(pack.key) was written and is not there as it was written; check the store",
                details: ["pack": pack.key])
        }
        return header
    }

    private func write(
        _ pack: PackName, _ header: PackHeader, to writer: any ArtifactWriter
    ) async throws {
        try await PackReading(source: source, pool: pool).read(pack, header) {
            try await writer.write($0)
        }
        // What follows the blobs is the header, which is known, and the trailer, which it makes.
        let encoded = header.encoded
        try await writer.write(
            encoded + PackHeader.trailer(count: header.entries.count, header: encoded))
    }
}
